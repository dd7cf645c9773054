require 'ipaddr' unless defined?(IPAddr)
require 'json' unless defined?(JSON)

module GmAnalytics
  # What the DHCP server needs to know, without Chef: checked, and worded for both backends.
  module Dhcp
    class Invalid < ArgumentError; end

    MAC = /\A\h{2}(:\h{2}){5}\z/.freeze
    NAME = /\A[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\z/.freeze
    DOMAIN = /\A[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\z/.freeze

    Backend = Struct.new(:name, :package, :config, :service, :test, keyword_init: true)

    ISC_TEST = '/usr/sbin/dhcpd -t -cf %{path}'.freeze
    KEA_TEST = '/usr/sbin/kea-dhcp4 -t %{path}'.freeze
    BACKENDS = {
      'rhel' => {
        'isc' => Backend.new(name: 'isc', package: 'dhcp-server', config: '/etc/dhcp/dhcpd.conf',
                             service: 'dhcpd', test: ISC_TEST),
        'kea' => Backend.new(name: 'kea', package: 'kea', config: '/etc/kea/kea-dhcp4.conf',
                             service: 'kea-dhcp4', test: KEA_TEST),
      },
      'debian' => {
        'isc' => Backend.new(name: 'isc', package: 'isc-dhcp-server', config: '/etc/dhcp/dhcpd.conf',
                             service: 'isc-dhcp-server', test: ISC_TEST),
        'kea' => Backend.new(name: 'kea', package: 'kea-dhcp4-server', config: '/etc/kea/kea-dhcp4.conf',
                             service: 'kea-dhcp4-server', test: KEA_TEST),
      },
    }.freeze
    SUPPORTED = 'EL 8, 9 and 10, Debian 12 and 13'.freeze

    module_function

    # Give the backend for a platform: the one chosen, or the one that the platform prefers.
    def backend(family, version, chosen = 'auto')
      major = version.to_i
      unless (family == 'rhel' && major >= 8) || (family == 'debian' && major >= 12)
        raise Invalid, "dhcp_server: found #{family} #{version}; expected one of #{SUPPORTED}"
      end

      has_isc = family == 'debian' || major < 10
      name = if chosen == 'auto'
               has_isc ? 'isc' : 'kea'
             else
               chosen
             end
      raise Invalid, "dhcp_server.backend: found #{chosen.inspect}; expected auto, isc or kea" unless %w(isc kea).include?(name)
      raise Invalid, "dhcp_server.backend: EL #{major} has no ISC dhcpd; expected kea or auto" if name == 'isc' && !has_isc

      BACKENDS.fetch(family).fetch(name)
    end

    def other(family, backend)
      BACKENDS.fetch(family).fetch(backend.name == 'isc' ? 'kea' : 'isc')
    end

    # A subnet, its pool and what is fixed in it.
    class Network
      attr_reader :subnet, :first, :last, :router, :dns, :domain, :lease_seconds, :max_lease_seconds, :reservations

      # Make it from the node's attributes.
      #
      # @raise [Invalid] naming every attribute that is wrong.
      def self.parse(site)
        new(site).check!
      end

      def initialize(site)
        @problems = []
        @subnet = network(site['subnet'])
        @first = address('pool.first', site.dig('pool', 'first'))
        @last = address('pool.last', site.dig('pool', 'last'))
        @router = address('router', site['router']) if site['router']
        @dns = Array(site['dns']).map { |value| address('dns', value) }
        @domain = site['domain']
        @lease_seconds = site['lease_seconds']
        @max_lease_seconds = site['max_lease_seconds']
        @static = (site['static_addresses'] || {}).to_h { |name, value| [name, address("static_addresses.#{name}", value)] }
        @reservations = (site['reservations'] || {}).to_h do |name, value|
          [name, { 'mac' => value['mac'].to_s.downcase, 'address' => address("reservations.#{name}.address", value['address']) }]
        end
      end

      def check!
        if @problems.empty?
          check_pool
          check_fixed
          check_reservations
          check_options
        end
        raise Invalid, @problems.map { |problem| "dhcp_server.#{problem}" }.join('; ') unless @problems.empty?

        self
      end

      def cidr
        "#{@subnet}/#{@subnet.prefix}"
      end

      def netmask
        IPAddr.new('255.255.255.255').mask(@subnet.prefix).to_s
      end

      # Give the interface of `interfaces` (as Ohai lists them) that has an address in the subnet.
      def interface_in(interfaces)
        found = interfaces.select { |_, data| (data['addresses'] || {}).any? { |ip, kind| kind['family'] == 'inet' && @subnet.include?(IPAddr.new(ip)) } }
        names = found.keys.sort
        return names.first if names.length == 1

        said = names.empty? ? 'no interface has' : "#{names.join(', ')} have"
        raise Invalid, "dhcp_server.interface: #{said} an address in #{cidr}; give the interface's name"
      end

      # Kea's configuration as data.
      def to_kea(interface)
        { 'Dhcp4' => {
          'interfaces-config' => { 'interfaces' => [interface] },
          'lease-database' => { 'type' => 'memfile', 'persist' => true },
          'authoritative' => true,
          'valid-lifetime' => lease_seconds,
          'max-valid-lifetime' => max_lease_seconds,
          'subnet4' => [{
            'id' => 1,
            'subnet' => cidr,
            'pools' => [{ 'pool' => "#{first} - #{last}" }],
            'option-data' => kea_options,
            'reservations' => reservations.map { |name, value| { 'hostname' => name, 'hw-address' => value['mac'], 'ip-address' => value['address'].to_s } },
          }],
        } }
      end

      private

      def kea_options
        values = { 'routers' => router, 'domain-name-servers' => dns.empty? ? nil : dns.join(', '), 'domain-name' => domain }
        values.compact.map { |name, value| { 'name' => name, 'data' => value.to_s } }
      end

      def network(value)
        found = IPAddr.new(value.to_s)
        return found if found.ipv4? && found.prefix.between?(8, 30) && value.to_s == "#{found}/#{found.prefix}"

        problem('subnet', value, 'an IPv4 network such as 192.168.131.0/24')
      rescue IPAddr::Error
        problem('subnet', value, 'an IPv4 network such as 192.168.131.0/24')
      end

      def address(key, value)
        found = IPAddr.new(value.to_s)
        return found if found.ipv4? && found.prefix == 32

        problem(key, value, 'an IPv4 address')
      rescue IPAddr::Error
        problem(key, value, 'an IPv4 address')
      end

      def problem(key, value, expected)
        @problems << "#{key}: found #{value.inspect}; expected #{expected}"
        nil
      end

      def host?(ip)
        range = @subnet.to_range
        @subnet.include?(ip) && ip != range.first && ip != range.last
      end

      def in_pool?(ip)
        ip.to_i.between?(first.to_i, last.to_i)
      end

      def inside(key, ip)
        problem(key, ip.to_s, "a host's address inside #{cidr}") unless host?(ip)
      end

      def check_pool
        inside('pool.first', first)
        inside('pool.last', last)
        problem('pool', "#{first} - #{last}", 'first not after last') if first.to_i > last.to_i
      end

      def check_fixed
        fixed = @static.transform_keys { |name| "static_addresses.#{name}" }
        fixed['router'] = router if router
        fixed.merge!(reservations.to_h { |name, value| ["reservations.#{name}.address", value['address']] })
        fixed.each do |key, ip|
          inside(key, ip)
          problem(key, ip.to_s, "an address outside the pool #{first} - #{last}") if in_pool?(ip)
        end
        fixed.group_by { |_, ip| ip }.each_value do |same|
          problem(same.map(&:first).join(' and '), same.first.last.to_s, 'different addresses') if same.length > 1
        end
      end

      def check_reservations
        reservations.each do |name, value|
          problem("reservations.#{name}", name, 'a host name') unless NAME.match?(name)
          problem("reservations.#{name}.mac", value['mac'], 'a MAC address such as 52:54:00:12:34:56') unless MAC.match?(value['mac'])
        end
        reservations.group_by { |_, value| value['mac'] }.each do |mac, same|
          problem(same.map { |name, _| "reservations.#{name}.mac" }.join(' and '), mac, 'different MAC addresses') if same.length > 1
        end
      end

      def check_options
        problem('domain', domain, 'a domain name') if domain && !DOMAIN.match?(domain)
        problem('lease_seconds', lease_seconds, 'a number of seconds, 60 or more') unless lease_seconds.is_a?(Integer) && lease_seconds >= 60
        return if max_lease_seconds.is_a?(Integer) && lease_seconds.is_a?(Integer) && max_lease_seconds >= lease_seconds

        problem('max_lease_seconds', max_lease_seconds, 'a number of seconds, not less than lease_seconds')
      end
    end
  end
end
