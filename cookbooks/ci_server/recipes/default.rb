site = node['ci_server']
platform = GmAnalytics::Ci.platform(node['platform_family'], node['platform_version'])
GmAnalytics::Ci.check!(site.to_h, node['platform_family'], kept: GmAnalytics::Ci.read("#{GmAnalytics::Ci::ETC}/webhook_secret"))

package platform.packages

ci_server_account 'gm_analytics'

ci_server_key 'gm_analytics' do
  keys_dir site['keys_dir']
end

mirror_client_host site['mirror']['name'] do
  address site['mirror']['address']
end

ci_server_virtualenv site['home'] do
  python platform.python
  source site['source']
  wheels site['wheels']
end

ci_server_config 'gm_analytics' do
  home site['home']
  webhook_secret site['webhook_secret']
  github_token site['github_token']
  github_ca site['github_ca']
  mirror_ca site['mirror']['ca']
  database_url site['database_url']
  config GmAnalytics::Ci.config(site.to_h)
end

ci_server_signing 'gm_analytics' do
  home site['home']
  only_if { site['sign'] }
end

ci_server_store 'gm_analytics' do
  database_url site['database_url']
end

ci_server_units 'gm_analytics' do
  home site['home']
  database_url site['database_url']
  port site['port']
  subscribes :restart, "ci_server_virtualenv[#{site['home']}]"
  subscribes :restart, 'ci_server_config[gm_analytics]'
end

ci_server_ngrok 'ngrok' do
  authtoken site['ngrok']['authtoken']
  domain site['ngrok']['domain']
  archive_url site['ngrok']['archive_url']
  archive_checksum site['ngrok']['archive_checksum']
  port site['port']
  home site['home']
  register GmAnalytics::Ci.registers?(site.to_h)
  action site['ngrok']['authtoken'] ? :enable : :disable
  subscribes :restart, "ci_server_virtualenv[#{site['home']}]"
  subscribes :restart, 'ci_server_config[gm_analytics]'
end
