site = node['mirror_client']
GmAnalytics::Client.platform!(node['platform_family'], node['platform_version'])
GmAnalytics::Client.check!(site.to_h)

package 'dnf'

mirror_client_host site['name'] do
  address site['address']
  not_if { site['address'].nil? }
end

mirror_client_repository site['repository'] do
  baseurl site['baseurl'] || "http://#{site['name']}/repo/"
  metadata_expire site['metadata_expire']
  mirrorlist site['mirrorlist']
  gpgcheck GmAnalytics::Client.gpgcheck?(site)
  repo_gpgcheck site['repo_gpgcheck']
  gpgkey site['gpgkey']
  sslcacert site['sslcacert']
  username site['username']
  password site['password']
end

mirror_client_exclusive site['repository'] do
  action site['exclusive'] ? :enable : :disable
end

mirror_client_refresh site['repository'] do
  interval site['refresh']
end
