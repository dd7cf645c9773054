# What the Vagrantfile tells each machine, and how public keys are carried between two of them.
# It needs no Vagrant: `vagrant validate` reads the Vagrantfile itself.
require 'digest'
require 'fileutils'
require 'open3'
require 'tmpdir'
require_relative '../../cookbooks/ci_server/libraries/ci'
require_relative '../../cookbooks/dhcp_server/libraries/dhcp'
require_relative '../../cookbooks/mirror_server/libraries/mirror'
require_relative '../../lab/vagrant/keys'
require_relative '../../lab/vagrant/site'

RSpec.describe Site do
  defaults = File.expand_path('../../lab/site.yaml', __dir__)

  def machine(site, name)
    site.machines.find { |row| row.name == name }
  end

  def with_file(text)
    Dir.mktmpdir do |folder|
      path = File.join(folder, 'site.yaml')
      File.write(path, text)
      yield path
    end
  end

  let(:site) { described_class.load(defaults, '/nowhere/site.yaml') }

  it 'has the four machines, the DHCP server first, at the addresses of the network' do
    expect(site.machines.map { |row| [row.name, row.address] }).to eq(
      [['dhcp_server', '192.168.131.102'], ['mirror_server', '192.168.131.103'], ['ci_server', nil], ['mirror_client', nil]]
    )
  end

  it 'gives the DHCP server a table that its cookbook accepts' do
    told = site.json(machine(site, 'dhcp_server'))['dhcp_server']
    network = GmAnalytics::Dhcp::Network.parse({ 'lease_seconds' => 60, 'max_lease_seconds' => 60 }.merge(told))
    expect(told['static_addresses']).to eq('dhcp_server' => '192.168.131.102', 'mirror_server' => '192.168.131.103')
    expect(network.reservations.keys).to eq(['ci_server'])
  end

  it "accepts the CI server's key from the CI server's address alone" do
    expect(site.json(machine(site, 'mirror_server'))).to eq('mirror_server' => { 'address' => '192.168.131.103', 'ci_from' => ['192.168.131.104'] })
  end

  it 'gives a secret to the machine that uses it and to no other' do
    with_file("ci_server:\n  webhook_secret: not-to-be-seen\n") do |path|
      site = described_class.load(defaults, path)
      told = site.machines.to_h { |row| [row.name, site.json(row).to_s.include?('not-to-be-seen')] }
      expect(told).to eq('dhcp_server' => false, 'mirror_server' => false, 'ci_server' => true, 'mirror_client' => false)
    end
  end

  it 'follows a changed address everywhere' do
    with_file("machines:\n  mirror_server: {address: 192.168.131.110}\n") do |path|
      site = described_class.load(defaults, path)
      expect(site.json(machine(site, 'ci_server'))['ci_server']['mirror']).to eq('address' => '192.168.131.110')
      expect(site.json(machine(site, 'mirror_client'))['mirror_client']['address']).to eq('192.168.131.110')
      expect(machine(site, 'mirror_server').memory).to eq(1536)
    end
  end

  it 'takes an empty site.yaml' do
    with_file("# nothing yet\n") { |path| expect(described_class.load(defaults, path)['box']).to eq('almalinux/9') }
  end

  {
    'a setting that it does not know' => ['boxx: debian/bookworm64', /found boxx; expected only box/],
    'a word in the table that it does not know' => ['machines: {dhcp_server: {ram: 5}}', /machines.dhcp_server: found ram; expected only address/],
    'a lease without a MAC address' => ['machines: {other: {memory: 512}}', /machines.other: found no address and no mac/],
  }.each do |what, (text, said)|
    it "refuses #{what}" do
      with_file(text) { |path| expect { described_class.load(defaults, path).machines }.to raise_error(Site::Invalid, said) }
    end
  end

  it 'has an address for telling the network before there is a lease' do
    expect(site.placeholder).to eq('192.168.131.2')
  end
end

RSpec.describe 'lab/vagrant/chef.sh' do
  script = File.expand_path('../../lab/vagrant/chef.sh', __dir__)
  installer = "printf '#!/bin/sh\\necho fake 18\\n' > \"$STUBS/cinc-solo\" && chmod +x \"$STUBS/cinc-solo\"\n"

  # In a machine without Chef, where omnitruck gives this installer.
  define_method(:run) do |folder, checksum|
    File.write("#{folder}/installer", installer)
    File.write("#{folder}/curl", "#!/bin/sh\ncat '#{folder}/installer'\n")
    FileUtils.chmod(0o755, "#{folder}/curl")
    environment = { 'PATH' => "#{folder}:/usr/bin:/bin", 'STUBS' => folder, 'GM_LAB_BIN' => "#{folder}/bin" }
    Open3.capture2e(environment, 'sh', script, '18', *checksum, unsetenv_others: true)
  end

  it 'runs the installer that was looked at' do
    Dir.mktmpdir do |folder|
      said, status = run(folder, Digest::SHA256.hexdigest(installer))
      expect(said).to end_with("fake 18\n")
      expect(status).to be_success
    end
  end

  [[], [''], ['0' * 64]].each do |checksum|
    it "runs none where the checksum is #{checksum}, and says which it has" do
      Dir.mktmpdir do |folder|
        said, status = run(folder, checksum)
        expect(said).to include("has the SHA-256 #{Digest::SHA256.hexdigest(installer)}; expected")
        expect(status.exitstatus).to eq(1)
        expect(File).not_to exist("#{folder}/cinc-solo")
      end
    end
  end
end

RSpec.describe 'lab/vagrant/solo.rb' do
  it 'has Chef remove what Vagrant told it when a run starts, so that it is gone too when that fails' do
    said = nil
    allow(Chef::Client).to receive(:when_run_starts) { |&block| said = block }
    kept = nil
    settings = Object.new
    settings.define_singleton_method(:allowed_normal_attributes) { |names| kept = names }
    settings.instance_eval(File.read(File.expand_path('../../lab/vagrant/solo.rb', __dir__)))
    expect(FileUtils).to receive(:rm_f).with('/tmp/vagrant-chef/dna.json')
    said.call
    expect(kept).to eq([])
  end
end

RSpec.describe Keys do
  # A machine whose root is a folder, and whose commands really run.
  machine = Struct.new(:root) do
    def sudo(command)
      out, status = Open3.capture2('sh', '-c', command.gsub('/etc/gm_keys', "#{root}/keys"))
      raise "#{command}: #{status}" unless status.success?

      yield :stdout, out if block_given?
    end

    def put(name, text)
      FileUtils.mkdir_p("#{root}/keys")
      File.write("#{root}/keys/#{name}", text)
    end

    def got(name)
      path = "#{root}/keys/#{name}"
      File.read(path) if File.exist?(path)
    end
  end

  public_key = "ssh-ed25519 #{'A' * 68}"
  host_key = "mirror.example,192.168.131.103 ssh-ed25519 #{'B' * 68}"

  around do |example|
    Dir.mktmpdir do |folder|
      @folder = folder
      example.run
    end
  end

  let(:ci) { machine.new("#{@folder}/ci").tap { |made| made.put('ci_server.pub', "#{public_key} ci_server\n") } }
  let(:mirror) { machine.new("#{@folder}/mirror").tap { |made| made.put('mirror_server.hostkey', "#{host_key}\n") } }
  let(:up) { { 'ci_server' => ci, 'mirror_server' => mirror } }
  let(:keys) { described_class.new(Site.load(File.expand_path('../../lab/site.yaml', __dir__)), ->(name) { up[name] }) }

  it 'carries each public half to the other machine' do
    expect(keys.exchange).to eq(['ci_server.pub', 'mirror_server.hostkey'])
    expect(mirror.got('ci_server.pub')).to eq("#{public_key} ci_server\n")
    expect(ci.got('mirror_server.hostkey')).to eq("#{host_key}\n")
  end

  it 'carries nothing twice' do
    keys.exchange
    expect(keys.exchange).to eq([])
  end

  it 'carries the new host key of a mirror that was made again' do
    keys.exchange
    mirror.put('mirror_server.hostkey', "#{host_key.tr('B', 'C')}\n")
    FileUtils.rm("#{mirror.root}/keys/ci_server.pub")
    expect(keys.exchange).to eq(['ci_server.pub', 'mirror_server.hostkey'])
    expect(ci.got('mirror_server.hostkey')).to eq("#{host_key.tr('B', 'C')}\n")
  end

  it 'waits for the machine that is not up' do
    up.delete('ci_server')
    expect(keys.exchange).to eq([])
    expect(mirror.got('ci_server.pub')).to be_nil
  end

  it 'waits for a half that was not made yet' do
    FileUtils.rm("#{ci.root}/keys/ci_server.pub")
    expect(keys.exchange).to eq(['mirror_server.hostkey'])
  end

  {
    'a private key' => "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n",
    'two keys' => "#{public_key}\n#{public_key}\n",
    'options before a key' => "command=\"id\" #{public_key}\n",
    'a quotation mark' => "#{public_key} it's\n",
    'a command' => "#{public_key} $(id)\n",
  }.each do |what, text|
    it "carries no #{what}" do
      ci.put('ci_server.pub', text)
      expect(keys.exchange).to eq(['mirror_server.hostkey'])
      expect(mirror.got('ci_server.pub')).to be_nil
    end
  end
end
