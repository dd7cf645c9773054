require 'ipaddr' unless defined?(IPAddr)

module GmAnalytics
  # What the mirror needs to know, without Chef.
  module Mirror
    class Invalid < ArgumentError; end

    Platform = Struct.new(:packages, :ssh_service, :web_user, keyword_init: true)
    PLATFORMS = {
      'rhel' => Platform.new(packages: %w(createrepo_c dnf nginx openssh-server rpm util-linux),
                             ssh_service: 'sshd', web_user: 'nginx'),
      'debian' => Platform.new(packages: %w(createrepo-c dnf nginx openssh-server rpm util-linux),
                               ssh_service: 'ssh', web_user: 'www-data'),
    }.freeze
    SUPPORTED = 'EL 9, EL 10, Debian 12 and Debian 13'.freeze
    HOST_KEY = '/etc/ssh/ssh_host_ed25519_key'.freeze

    NAME = /\A[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\z/.freeze
    ID = /\A[A-Za-z0-9_][A-Za-z0-9_.:-]*\z/.freeze
    PATH = %r{\A(/[A-Za-z0-9_][A-Za-z0-9._+-]*)+\z}.freeze
    LINE = /\A[^\r\n]+\z/.freeze
    HELPER = '/usr/local/sbin/gm-mirror-helper'.freeze
    HELPER_OPTIONS = %w(arch module_platform_id weak_dependencies max_age signatures).freeze
    KNOWN = %w(id name baseurl mirrorlist gpgcheck gpgkey gpgkey_content).freeze

    module_function

    def platform(family, version)
      found = PLATFORMS[family] if version.to_i >= { 'rhel' => 9, 'debian' => 12 }.fetch(family, Float::INFINITY)
      found || raise(Invalid, "mirror_server: found #{family} #{version}; expected one of #{SUPPORTED}")
    end

    # Check the node's attributes as a whole.
    #
    # @raise [Invalid] naming every attribute that is wrong.
    def check!(site)
      problems = []
      expect = lambda do |key, value, pattern, expected|
        problems << "#{key}: found #{value.inspect}; expected #{expected}" unless value.is_a?(String) && pattern.match?(value)
      end
      expect.call('name', site['name'], NAME, 'a host name')
      expect.call('account', site['account'], /\A[a-z_][a-z0-9_-]{0,31}\z/, 'an account name')
      expect.call('releasever', site['releasever'], /\A[0-9][0-9.]*\z/, 'a release such as "9"')
      %w(root keys_dir upstream_dir).each { |key| expect.call(key, site[key], PATH, 'an absolute path') }
      problems.concat(addresses('address', [site['address']]))
      problems.concat(addresses('ci_from', Array(site['ci_from'])))
      problems << 'ci_from: found none; expected addresses or networks' if Array(site['ci_from']).empty?
      problems.concat(helper_problems(site['helper_options'] || {}))
      problems.concat(repositories(Array(site['repositories'])))
      raise Invalid, problems.map { |problem| "mirror_server.#{problem}" }.join('; ') unless problems.empty?
    end

    # The file is read by root's shell: each value is one plain word.
    def helper_problems(options)
      unknown = options.keys - HELPER_OPTIONS
      said = options.slice(*HELPER_OPTIONS).reject { |_, value| /\A[A-Za-z0-9_][A-Za-z0-9._:+-]*\z/.match?(value.to_s) }
                    .map { |key, value| "helper_options.#{key}: found #{value.inspect}; expected one word" }
      said << "helper_options: found #{unknown.join(', ')}; expected only #{HELPER_OPTIONS.join(', ')}" unless unknown.empty?
      said
    end

    # Give the assignments of the helper's configuration.
    def helper_conf(site)
      { 'root' => site['root'], 'account' => site['account'], 'reposdir' => site['upstream_dir'], 'releasever' => site['releasever'] }
        .merge(site['helper_options'] || {})
    end

    def addresses(key, values)
      values.reject { |value| address?(value) }.map { |value| "#{key}: found #{value.inspect}; expected an address or network" }
    end

    def address?(value)
      !IPAddr.new(value.to_s).nil?
    rescue IPAddr::Error
      false
    end

    def repositories(list)
      return ['repositories: found none; expected at least one'] if list.empty?

      list.each_with_index.flat_map { |repository, place| repository_problems("repositories[#{place}]", repository) }
    end

    def repository_problems(key, repository)
      said = []
      unknown = repository.keys - KNOWN
      said << "#{key}: found #{unknown.join(', ')}; expected only #{KNOWN.join(', ')}" unless unknown.empty?
      said << "#{key}.id: found #{repository['id'].inspect}; expected letters, digits and . _ : -" unless ID.match?(repository['id'].to_s)
      said << "#{key}: expected baseurl or mirrorlist, one of them" unless repository.key?('baseurl') ^ repository.key?('mirrorlist')
      if repository.fetch('gpgcheck', true) && !repository['gpgkey'] && !repository['gpgkey_content']
        said << "#{key}: gpgcheck needs gpgkey or gpgkey_content"
      end
      %w(name baseurl mirrorlist gpgkey).each do |word|
        value = repository[word]
        said << "#{key}.#{word}: found #{value.inspect}; expected one line" if value && !LINE.match?(value)
      end
      said
    end

    # Give the lines of one repository file, in yum's own words.
    def repository_lines(repository, keys_dir)
      key = repository['gpgkey_content'] ? "file://#{keys_dir}/#{repository['id']}" : repository['gpgkey']
      {
        'name' => repository['name'] || repository['id'],
        'baseurl' => repository['baseurl'],
        'mirrorlist' => repository['mirrorlist'],
        'enabled' => 1,
        'gpgcheck' => repository.fetch('gpgcheck', true) ? 1 : 0,
        'gpgkey' => key,
        'skip_if_unavailable' => 0,
      }.compact
    end

    # Give the line of known_hosts for a public host key.
    def known_hosts_line(names, public_key)
      type, key = public_key.split
      "#{names.join(',')} #{type} #{key}\n"
    end

    def selinux?
      ::File.exist?('/sys/fs/selinux/enforce')
    end
  end
end
