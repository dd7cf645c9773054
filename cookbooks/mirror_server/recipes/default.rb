site = node['mirror_server']
GmAnalytics::Mirror.check!(site.to_h)
platform = GmAnalytics::Mirror.platform(node['platform_family'], node['platform_version'])

package platform.packages

mirror_server_account site['account'] do
  root site['root']
end

mirror_server_login site['account'] do
  keys_dir site['keys_dir']
  from site['ci_from'].to_a
  names [site['name'], site['address']]
  ssh_service platform.ssh_service
  sshd_conf platform.sshd_conf
end

site['repositories'].each do |repository|
  mirror_server_upstream repository['id'] do
    repository repository.to_h
    directory site['upstream_dir']
  end
end

mirror_server_publication site['root'] do
  account site['account']
end

mirror_server_helper site['account'] do
  root site['root']
  conf GmAnalytics::Mirror.helper_conf(site.to_h)
  action site['helper'] ? :create : :delete
end

mirror_server_web site['name'] do
  root site['root']
  user platform.web_user
end
