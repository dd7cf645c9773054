site = node['dhcp_server']
network = GmAnalytics::Dhcp::Network.parse(site.to_h)
backend = GmAnalytics::Dhcp.backend(node['platform_family'], node['platform_version'], site['backend'])

dhcp_server_subnet network.cidr do
  network network
  backend backend
  unused GmAnalytics::Dhcp.other(node['platform_family'], backend)
  interface site['interface'] || network.interface_in(node['network']['interfaces'])
end
