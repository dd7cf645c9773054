require_relative 'spec_helper'
require "#{CHECKOUT}/lab/vagrant/site"
require "#{CHECKOUT}/lab/vagrant/keys"

RSpec.describe Lab::Site do
  it 'has defaults for the four machines, none of whose addresses is in the pool' do
    site = described_class.read("#{CHECKOUT}/lab/site.yaml")
    expect(site['machines'].keys).to eq(%w(dhcp_server mirror_server ci_server mirror_client))
    expect(site['machines'].transform_values { |machine| machine['address'] }.compact).to eq('dhcp_server' => '192.168.131.102', 'mirror_server' => '192.168.131.103')
  end

  it 'takes over them what the user says' do
    Dir.mktmpdir do |dir|
      File.write("#{dir}/own.yaml", "box: debian/bookworm64\nmachines: {ci_server: {memory: 4096}}\nattributes: {ci_server: {repositories: [me/it]}}\n")
      stub_const('ENV', ENV.to_h.merge('GM_ANALYTICS_SITE' => "#{dir}/own.yaml"))
      site = described_class.load(CHECKOUT)
      expect(site['box']).to eq('debian/bookworm64')
      expect(site['machines']['ci_server']).to eq('address' => nil, 'memory' => 4096, 'run_list' => ['ci_server'])
      expect(site['attributes']['ci_server']).to include('source' => '/vagrant', 'repositories' => ['me/it'])
    end
  end

  it 'leaves leases to our server' do
    leased = described_class.network({ 'network' => '192.168.131.0' }, { 'address' => nil })
    expect(leased).to include(type: 'dhcp', auto_config: false, libvirt__dhcp_enabled: false, virtualbox__intnet: 'gm_lab')
    expect(described_class.network({ 'network' => '192.168.131.0' }, { 'address' => '192.168.131.103' })).to include(ip: '192.168.131.103', libvirt__dhcp_enabled: false)
  end
end

# A machine whose shell is this one's, with its own /etc/gm_keys.
class FakeMachine
  attr_reader :name, :place

  def initialize(name, place, up: true)
    @name = name
    @place = place
    @up = up
    FileUtils.mkdir_p(place)
  end

  def communicate
    self
  end

  def ready?
    @up
  end

  def sudo(command, error_check: true)
    text = IO.popen(['sh', '-c', command.gsub('/etc/gm_keys', place)], err: File::NULL, &:read)
    raise command if error_check && !$CHILD_STATUS.success?

    yield :stdout, text if block_given?
    $CHILD_STATUS.exitstatus
  end
end

RSpec.describe Lab::Keys do
  require 'English'

  around { |example| Dir.mktmpdir { |dir| @dir = dir and example.run } }

  def machine(name, up: true)
    FakeMachine.new(name.to_sym, "#{@dir}/#{name}", up: up)
  end

  def carry(*machines)
    environment = double(local_data_path: "#{@dir}/.vagrant", active_machines: machines.map { |one| [one.name, :libvirt] })
    allow(environment).to receive(:machine) { |name, _| machines.find { |one| one.name == name } }
    described_class.carry(environment, machines.first)
  end

  let(:key) { "ssh-ed25519 #{'A' * 68}" }
  let(:host_key) { "mirror.example,192.168.131.103 ssh-ed25519 #{'B' * 68}\n" }
  let(:ci) { machine('ci_server') }
  let(:mirror) { machine('mirror_server') }

  it 'carries each half to the other, whichever is provisioned first' do
    File.write("#{mirror.place}/mirror_server.hostkey", host_key)
    carry(mirror)
    File.write("#{ci.place}/ci_server.pub", "#{key} ci_server\n")
    carry(ci, mirror)
    expect(File.read("#{ci.place}/mirror_server.hostkey")).to eq(host_key)
    expect(File.read("#{mirror.place}/ci_server.pub")).to eq("#{key} ci_server\n")
  end

  it 'carries new halves after a machine was made again' do
    File.write("#{mirror.place}/mirror_server.hostkey", host_key)
    File.write("#{ci.place}/ci_server.pub", "#{key} ci_server\n")
    carry(ci, mirror)
    carry(mirror, ci)
    FileUtils.rm_rf(mirror.place)
    again = machine('mirror_server')
    File.write("#{again.place}/mirror_server.hostkey", host_key.tr('B', 'C'))
    carry(again, ci)
    expect(File.read("#{ci.place}/mirror_server.hostkey")).to eq(host_key.tr('B', 'C'))
    expect(File.read("#{again.place}/ci_server.pub")).to eq("#{key} ci_server\n")
  end

  it 'waits for a machine that is not up, and for one that is not provisioned' do
    down = machine('mirror_server', up: false)
    carry(ci, down)
    expect(Dir.children(ci.place) + Dir.children(down.place)).to be_empty
  end

  it 'carries nothing but one public key' do
    ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "#{key}\n#{key}\n", "#{key}'; reboot\n"].each do |text|
      File.write("#{ci.place}/ci_server.pub", text)
      expect { carry(ci, mirror) }.to raise_error(/ci_server: .*expected one ed25519 key/)
    end
    expect(Dir.children(mirror.place)).to be_empty
  end
end
