require_relative 'spec_helper'

dhcp = GmAnalytics::Dhcp

RSpec.describe dhcp::Network do
  def site(**changed)
    {
      'subnet' => '192.168.131.0/24', 'pool' => { 'first' => '192.168.131.150', 'last' => '192.168.131.199' },
      'lease_seconds' => 3600, 'max_lease_seconds' => 7200,
      'static_addresses' => { 'mirror_server' => '192.168.131.103' }, 'reservations' => {}
    }.merge(changed.transform_keys(&:to_s))
  end

  def reservation(mac: '52:54:00:00:00:01', address: '192.168.131.20')
    { 'mac' => mac, 'address' => address }
  end

  it 'words the subnet as both servers want it' do
    network = described_class.parse(site(subnet: '10.1.0.0/20', pool: { 'first' => '10.1.1.0', 'last' => '10.1.15.254' }, static_addresses: {}))
    expect([network.cidr, network.netmask]).to eq(['10.1.0.0/20', '255.255.240.0'])
  end

  it 'names every wrong attribute at once' do
    expect { described_class.parse(site(subnet: 'lab', router: 'gate', dns: ['::1'])) }.to raise_error(dhcp::Invalid) do |error|
      expect(error.message).to include('dhcp_server.subnet: found "lab"', 'dhcp_server.router: found "gate"', 'dhcp_server.dns: found "::1"')
    end
  end

  {
    'a subnet that is not a network' => [{ subnet: '192.168.131.7/24' }, %r{subnet: found "192.168.131.7/24"; expected an IPv4 network}],
    'a range that begins outside the subnet' => [{ pool: { 'first' => '192.168.130.9', 'last' => '192.168.131.199' } },
                                                 %r{pool.first: found "192.168.130.9"; expected a host's address inside 192.168.131.0/24}],
    'a range that ends outside the subnet' => [{ pool: { 'first' => '192.168.131.9', 'last' => '192.168.132.1' } }, /pool.last: found "192.168.132.1"/],
    'a range that has the broadcast address' => [{ pool: { 'first' => '192.168.131.150', 'last' => '192.168.131.255' } }, /pool.last: found "192.168.131.255"/],
    'a range backwards' => [{ pool: { 'first' => '192.168.131.199', 'last' => '192.168.131.150' } }, /pool: found .* expected first not after last/],
    'a missing range' => [{ pool: {} }, /pool.first: found nil; expected an IPv4 address/],
    'a static address in the pool' => [{ static_addresses: { 'mirror_server' => '192.168.131.160' } },
                                       /static_addresses.mirror_server: found "192.168.131.160"; expected an address outside the pool 192.168.131.150 - 192.168.131.199/],
    'a static address at the edge of the pool' => [{ static_addresses: { 'a' => '192.168.131.199' } }, /expected an address outside the pool/],
    'a router in the pool' => [{ router: '192.168.131.151' }, /router: found "192.168.131.151"; expected an address outside the pool/],
    'a router outside the subnet' => [{ router: '10.0.0.1' }, /router: found "10.0.0.1"; expected a host's address inside/],
    'two machines of one address' => [{ static_addresses: { 'a' => '192.168.131.2', 'b' => '192.168.131.2' } }, /static_addresses.a and static_addresses.b: .* different addresses/],
    'a domain that is none' => [{ domain: 'a b' }, /domain: found "a b"; expected a domain name/],
    'a lease of no time' => [{ lease_seconds: 0 }, /lease_seconds: found 0; expected a number of seconds, 60 or more/],
    'a longest lease that is shorter' => [{ max_lease_seconds: 60 }, /max_lease_seconds: found 60; .* not less than lease_seconds/],
  }.each do |what, (changed, said)|
    it "refuses #{what}" do
      expect { described_class.parse(site(**changed)) }.to raise_error(dhcp::Invalid, said)
    end
  end

  it 'refuses reservations in the pool, outside the subnet, of a wrong or repeated MAC address' do
    {
      { 'a' => reservation(address: '192.168.131.170') } => /reservations.a.address: .* outside the pool/,
      { 'a' => reservation(address: '10.0.0.9') } => /reservations.a.address: .* inside 192/,
      { 'a' => reservation(mac: '52:54') } => /reservations.a.mac: found "52:54"; expected a MAC address/,
      { 'a b' => reservation } => /reservations.a b: found "a b"; expected a host name/,
      { 'a' => reservation, 'b' => reservation(address: '192.168.131.21') } => /reservations.a.mac and reservations.b.mac: .* different MAC addresses/,
    }.each { |reservations, said| expect { described_class.parse(site(reservations: reservations)) }.to raise_error(dhcp::Invalid, said) }
  end

  it 'finds the interface that is in the subnet' do
    interfaces = {
      'eth0' => { 'addresses' => { '10.0.2.15' => { 'family' => 'inet' } } },
      'eth1' => { 'addresses' => { 'AA:BB:CC:DD:EE:FF' => { 'family' => 'lladdr' }, '192.168.131.102' => { 'family' => 'inet' } } },
      'lo' => {},
    }
    expect(described_class.parse(site).interface_in(interfaces)).to eq('eth1')
  end

  it 'says so when no interface or more than one is in the subnet' do
    inside = { 'addresses' => { '192.168.131.5' => { 'family' => 'inet' } } }
    network = described_class.parse(site)
    expect { network.interface_in('eth0' => {}) }.to raise_error(dhcp::Invalid, %r{no interface has an address in 192.168.131.0/24; give})
    expect { network.interface_in('b' => inside, 'a' => inside) }.to raise_error(dhcp::Invalid, /a, b have an address/)
  end
end

RSpec.describe dhcp do
  {
    ['rhel', '8.10'] => 'isc', ['rhel', '9.6'] => 'isc', ['rhel', '10.0'] => 'kea', %w(debian 12) => 'isc', ['debian', '13.1'] => 'isc'
  }.each do |(family, version), name|
    it("prefers #{name} on #{family} #{version}") { expect(described_class.backend(family, version).name).to eq(name) }
  end

  it 'takes Kea everywhere when chosen' do
    expect(described_class.backend('debian', '12', 'kea').service).to eq('kea-dhcp4-server')
    expect(described_class.backend('rhel', '9', 'kea').service).to eq('kea-dhcp4')
  end

  it 'refuses what there is not' do
    expect { described_class.backend('rhel', '10', 'isc') }.to raise_error(dhcp::Invalid, /EL 10 has no ISC dhcpd/)
    expect { described_class.backend('debian', '12', 'dnsmasq') }.to raise_error(dhcp::Invalid, /found "dnsmasq"; expected auto, isc or kea/)
    [%w(rhel 7.9), %w(debian 11), %w(suse 15)].each do |family, version|
      expect { described_class.backend(family, version) }.to raise_error(dhcp::Invalid, /found #{family} #{version}; expected one of EL 8, 9 and 10, Debian 12/)
    end
  end
end

RSpec.describe 'dhcp_server::default' do
  def run(platform, **attributes)
    converge('dhcp_server', platform, step_into: %w(dhcp_server_subnet)) do |node|
      node.automatic['network']['interfaces'] = { 'eth1' => { 'addresses' => { '192.168.131.102' => { 'family' => 'inet' } } } }
      attributes.each { |key, value| node.override['dhcp_server'][key] = value }
    end
  end

  # platform, backend => package, file, service, the other's service
  {
    ['EL 8', 'isc'] => %w(dhcp-server /etc/dhcp/dhcpd.conf dhcpd kea-dhcp4),
    ['EL 9', 'isc'] => %w(dhcp-server /etc/dhcp/dhcpd.conf dhcpd kea-dhcp4),
    ['Debian 12', 'isc'] => %w(isc-dhcp-server /etc/dhcp/dhcpd.conf isc-dhcp-server kea-dhcp4-server),
    ['Debian 13', 'isc'] => %w(isc-dhcp-server /etc/dhcp/dhcpd.conf isc-dhcp-server kea-dhcp4-server),
    ['EL 9', 'kea'] => %w(kea /etc/kea/kea-dhcp4.conf kea-dhcp4 dhcpd),
    ['EL 10', 'kea'] => %w(kea /etc/kea/kea-dhcp4.conf kea-dhcp4 dhcpd),
    ['Debian 12', 'kea'] => %w(kea-dhcp4-server /etc/kea/kea-dhcp4.conf kea-dhcp4-server isc-dhcp-server),
    ['Debian 13', 'kea'] => %w(kea-dhcp4-server /etc/kea/kea-dhcp4.conf kea-dhcp4-server isc-dhcp-server),
  }.each do |(platform, backend), (package, file, service, other)|
    it "serves with #{backend} on #{platform}, with a configuration that was tested" do
      chef_run = run(platform, backend: backend)
      expect(chef_run).to create_dhcp_server_subnet('192.168.131.0/24').with(interface: 'eth1')
      expect(chef_run).to install_package(package)
      expect(chef_run).to enable_service(service)
      expect(chef_run).to unmask_service(service)
      expect(chef_run).to start_service(service)
      expect(chef_run).to stop_service(other)
      expect(chef_run).to mask_service(other)
      expect(chef_run).to create_template(file)
      template = chef_run.template(file)
      expect(template).to notify("service[#{service}]").to(:restart)
      expect(tests_of(template)).to eq([backend == 'isc' ? '/usr/sbin/dhcpd -t -cf %{path}' : '/usr/sbin/kea-dhcp4 -t %{path}'])
    end
  end

  PLATFORMS.each_key do |platform|
    it "takes the platform's own server on #{platform}" do
      own = { 'EL 8' => 'dhcp-server', 'EL 9' => 'dhcp-server', 'EL 10' => 'kea' }.fetch(platform, 'isc-dhcp-server')
      expect(run(platform)).to install_package(own)
    end

    it "stops on #{platform} at a range outside the subnet" do
      expect { run(platform, subnet: '10.0.0.0/24', static_addresses: {}) }.to raise_error(dhcp::Invalid, %r{dhcp_server.pool.first: found "192.168.131.150"; expected a host's address inside 10.0.0.0/24})
    end
  end

  it 'stops on any other platform' do
    expect { run('EL 7') }.to raise_error(dhcp::Invalid, /dhcp_server: found rhel 7\.8.*; expected one of EL 8/)
  end

  it 'tells ISC dhcpd the lab interface alone' do
    expect(run('Debian 12')).to render_file('/etc/default/isc-dhcp-server').with_content(/^INTERFACESv4="eth1"$/)
    expect(run('Debian 12').template('/etc/default/isc-dhcp-server')).to notify('service[isc-dhcp-server]').to(:restart)
    on_el = run('EL 9')
    expect(on_el).to create_directory('/etc/systemd/system/dhcpd.service.d')
    expect(on_el).to create_systemd_unit('dhcpd.service.d/interface.conf').with(content: %r{^ExecStart=\nExecStart=/usr/sbin/dhcpd .* eth1$})
    expect(on_el.systemd_unit('dhcpd.service.d/interface.conf')).to notify('service[dhcpd]').to(:restart)
  end

  it 'says in each file that it is generated' do
    ['/etc/dhcp/dhcpd.conf', '/etc/default/isc-dhcp-server'].each { |path| expect(run('Debian 13')).to render_file(path).with_content(/\A# Generated by Chef/) }
    expect(run('EL 10')).to render_file('/etc/kea/kea-dhcp4.conf').with_content(%r{\A// Generated by Chef})
  end

  full = { router: '192.168.131.1', dns: %w(9.9.9.9 1.1.1.1), domain: 'lab.example', reservations: { 'ci' => { 'mac' => '52:54:00:AA:00:01', 'address' => '192.168.131.20' } } }

  it 'writes what ISC dhcpd is to say' do
    expect(run('EL 9', **full)).to render_file('/etc/dhcp/dhcpd.conf').with_content(<<~CONF)
      subnet 192.168.131.0 netmask 255.255.255.0 {
        range 192.168.131.150 192.168.131.199;
        option routers 192.168.131.1;
        option domain-name-servers 9.9.9.9, 1.1.1.1;
        option domain-name "lab.example";
      }

      host ci {
        hardware ethernet 52:54:00:aa:00:01;
        fixed-address 192.168.131.20;
      }
    CONF
  end

  it 'writes the same for Kea' do
    conf = JSON.parse(rendered(run('EL 10', **full), '/etc/kea/kea-dhcp4.conf').sub(/\A.*\n/, ''))['Dhcp4']
    subnet = conf['subnet4'].first
    expect(conf['interfaces-config']).to eq('interfaces' => ['eth1'])
    expect(subnet['pools']).to eq([{ 'pool' => '192.168.131.150 - 192.168.131.199' }])
    expect(subnet['option-data'].to_h { |option| option.values_at('name', 'data') }).to eq(
      'routers' => '192.168.131.1', 'domain-name-servers' => '9.9.9.9, 1.1.1.1', 'domain-name' => 'lab.example'
    )
    expect(subnet['reservations']).to eq([{ 'hostname' => 'ci', 'hw-address' => '52:54:00:aa:00:01', 'ip-address' => '192.168.131.20' }])
  end

  it 'leaves out the options that are not given' do
    expect(rendered(run('EL 9'), '/etc/dhcp/dhcpd.conf')).not_to include('option')
  end
end
