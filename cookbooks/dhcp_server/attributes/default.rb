# 'isc', 'kea', or 'auto': ISC dhcpd where the platform has it (EL 8, EL 9, Debian), else Kea (EL 10).
default['dhcp_server']['backend'] = 'auto'
# nil: the interface that has an address in the subnet.
default['dhcp_server']['interface'] = nil
default['dhcp_server']['subnet'] = '192.168.131.0/24'
default['dhcp_server']['pool']['first'] = '192.168.131.150'
default['dhcp_server']['pool']['last'] = '192.168.131.199'
# nil and empty: the option is not sent.
default['dhcp_server']['router'] = nil
default['dhcp_server']['dns'] = []
default['dhcp_server']['domain'] = nil
default['dhcp_server']['lease_seconds'] = 3600
default['dhcp_server']['max_lease_seconds'] = 7200
# Addresses that machines have by themselves: none of them may be in the pool.
default['dhcp_server']['static_addresses'] = {
  'dhcp_server' => '192.168.131.102',
  'mirror_server' => '192.168.131.103',
}
# name => { 'mac' => '52:54:00:…', 'address' => '192.168.131.…' }
default['dhcp_server']['reservations'] = {}
