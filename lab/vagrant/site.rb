require 'ipaddr'
require 'yaml'

# The lab as data: lab/site.yaml with site.yaml merged over it, and what each machine is told.
class Site
  COOKBOOKS = %w(dhcp_server mirror_server ci_server mirror_client).freeze
  KEYS_DIR = '/etc/gm_keys'.freeze

  Machine = Struct.new(:name, :address, :reservation, :mac, :memory, :run_list, keyword_init: true) do
    def lease?
      address.nil?
    end
  end

  class Invalid < StandardError; end

  def self.load(*files)
    files = files.select { |path| File.exist?(path) }
    new(files.map { |path| YAML.safe_load(File.read(path)) || {} }.reduce { |acc, elem| merge(acc, elem) })
  end

  def self.merge(old, new)
    old.merge(new) { |_, one, two| one.is_a?(Hash) && two.is_a?(Hash) ? merge(one, two) : two }
  end

  def initialize(data)
    known = %w(box synced_folder cinc_version cinc_sha256 network machines) + COOKBOOKS
    unknown = data.keys - known
    raise Invalid, "site.yaml: found #{unknown.join(', ')}; expected only #{known.join(', ')}" unless unknown.empty?

    @data = data
  end

  def [](key)
    @data.fetch(key)
  end

  def machines
    @machines ||= self['machines'].map { |name, row| machine(name, row) }
  end

  # An address in the lab's network, for a machine that has none before its lease.
  def placeholder
    IPAddr.new(attributes('dhcp_server').fetch('subnet')).to_range.first(3).last.to_s
  end

  def keys_dir(machine)
    attributes(machine)['keys_dir'] || KEYS_DIR
  end

  # The node's attributes: those of its own cookbooks and no others, so that a secret goes only
  # where it is used.
  def json(machine)
    cookbooks = machine.run_list.map { |item| item[/\Arecipe\[(\w+)/, 1] }
    cookbooks.to_h { |name| [name, self.class.merge(derived(name), attributes(name))] }
  end

  # What the table of machines says to a cookbook.
  def derived(cookbook)
    case cookbook
    when 'dhcp_server' then { 'static_addresses' => addresses, 'reservations' => reservations }
    when 'mirror_server' then { 'address' => addresses['mirror_server'], 'ci_from' => ci_from }.compact
    when 'ci_server' then { 'mirror' => { 'address' => addresses['mirror_server'] }.compact }
    when 'mirror_client' then { 'address' => addresses['mirror_server'] }.compact
    else {}
    end
  end

  private

  def machine(name, row)
    unknown = row.keys - Machine.members.map(&:to_s)
    raise Invalid, "site.yaml: machines.#{name}: found #{unknown.join(', ')}; expected only #{(Machine.members - [:name]).join(', ')}" unless unknown.empty?

    found = Machine.new(name: name, **row.transform_keys(&:to_sym))
    return found unless found.lease? && found.mac.nil?

    raise Invalid, "site.yaml: machines.#{name}: found no address and no mac; expected one, a lease needs the mac"
  end

  def attributes(cookbook)
    @data[cookbook] || {}
  end

  def addresses
    machines.reject(&:lease?).to_h { |machine| [machine.name, machine.address] }
  end

  def reservations
    machines.select(&:reservation).to_h do |machine|
      [machine.name, { 'mac' => machine.mac, 'address' => machine.reservation }]
    end
  end

  def ci_from
    ci = machines.find { |machine| machine.name == 'ci_server' }
    source = ci && (ci.address || ci.reservation)
    source && [source]
  end
end
