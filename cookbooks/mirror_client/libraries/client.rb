require 'ipaddr' unless defined?(IPAddr)

module GmAnalytics
  # What a client of the mirror needs to know, without Chef.
  module Client
    class Invalid < ArgumentError; end

    SUPPORTED = 'EL 8, 9 and 10, Debian 12 and 13'.freeze
    MARK = '# gm_analytics exclusive:'.freeze
    EXCLUSIVE_DIR = '/etc/gm-mirror/exclusive.repos.d'.freeze

    module_function

    def platform!(family, version)
      return if version.to_i >= { 'rhel' => 8, 'debian' => 12 }.fetch(family, Float::INFINITY)

      raise Invalid, "mirror_client: found #{family} #{version}; expected one of #{SUPPORTED}"
    end

    # Check the node's attributes as a whole.
    #
    # @raise [Invalid] naming every attribute that is wrong.
    def check!(site)
      problems = []
      expect = lambda do |key, expected, &right|
        problems << "mirror_client.#{key}: found #{site[key].inspect}; expected #{expected}" unless right.call(site[key])
      end
      expect.call('name', 'a host name') { |value| /\A[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\z/.match?(value.to_s) }
      expect.call('address', 'an address, or nil') { |value| value.nil? || address?(value) }
      expect.call('repository', 'letters, digits and . _ : -') { |value| /\A[A-Za-z0-9_][A-Za-z0-9_.:-]*\z/.match?(value.to_s) }
      expect.call('baseurl', 'an http or https address, or nil') { |value| value.nil? || %r{\Ahttps?://\S+\z}.match?(value) }
      expect.call('metadata_expire', 'a number of seconds') { |value| value.is_a?(Integer) && value >= 0 }
      expect.call('refresh', 'a time such as 5min') { |value| /\A[0-9]+ ?[a-z]*\z/.match?(value.to_s) }
      expect.call('gpgkey', 'one address or more, since gpgcheck or repo_gpgcheck is true') do |value|
        /\A\S+( \S+)*\z/.match?(value.to_s) || !(site['gpgcheck'] || site['repo_gpgcheck'])
      end
      expect.call('sslcacert', 'an absolute path, or nil') { |value| value.nil? || %r{\A/\S+\z}.match?(value) }
      expect.call('username', 'a name without blanks and colons, or nil') { |value| value.nil? || /\A[^\s:]+\z/.match?(value) }
      problems << 'mirror_client.password: expected one line, since there is a username' unless site['username'].nil? || /\A[^\r\n]+\z/.match?(site['password'].to_s)
      raise Invalid, problems.join('; ') unless problems.empty?
    end

    # Whether packages are checked: as it is said, or if a key is there that is not the mirror's own.
    def gpgcheck?(site)
      return site['gpgcheck'] unless site['gpgcheck'].nil?

      site['gpgkey'].to_s.split.any? { |key| !key.end_with?('/RPM-GPG-KEY-gm-mirror') }
    end

    def address?(value)
      !IPAddr.new(value.to_s).nil?
    rescue IPAddr::Error
      false
    end

    # Give the text of /etc/hosts in which each name has this address alone.
    def hosts(text, address, names)
      wanted = "#{address} #{names.join(' ')}"
      return text if text.lines.map(&:strip).include?(wanted) && text.lines.one? { |line| names?(line, names) }

      kept = text.lines.map { |line| names?(line, names) ? without(line, names) : line }.compact
      kept[-1] = "#{kept.last.chomp}\n" unless kept.empty?
      "#{kept.join}#{wanted}\n"
    end

    def names?(line, names)
      !(line.sub(/#.*/, '').split.drop(1) & names).empty?
    end

    # Give the line without these names; nothing when no other is left.
    def without(line, names)
      words = line.sub(/#.*/, '').split
      rest = words.drop(1) - names
      rest.empty? ? nil : "#{words.first} #{rest.join(' ')}\n"
    end

    # Give the text of dnf.conf with this directory as the only place of repository files.
    # The line that it stands for is kept beside it, so that `inclusive` can put it back.
    def exclusive(text, directory)
      lines = inclusive(text).lines.map { |line| line.match?(/\A\s*reposdir\s*=/) ? "#{MARK} was #{line}" : line }
      main = lines.index { |line| line.strip == '[main]' }
      lines.unshift("[main]\n") unless main
      lines.insert((main || 0) + 1, "#{MARK} see the cookbook mirror_client\n", "reposdir=#{directory}\n")
      lines.join
    end

    # Give the text of dnf.conf as it was before `exclusive`.
    def inclusive(text)
      lines = text.lines
      start = lines.index { |line| line.start_with?("#{MARK} see") }
      lines.slice!(start, 2) if start
      lines.map { |line| line.delete_prefix("#{MARK} was ") }.join
    end
  end
end
