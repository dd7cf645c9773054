require 'digest' unless defined?(Digest)
require 'fileutils' unless defined?(FileUtils)
require 'ipaddr' unless defined?(IPAddr)
require 'yaml' unless defined?(YAML)

module GmAnalytics
  # What the CI server needs to know, without Chef.
  module Ci
    class Invalid < ArgumentError; end

    Platform = Struct.new(:python, :packages, keyword_init: true)
    EL8 = Platform.new(python: '/usr/bin/python3.12', packages: %w(openssh-clients python3.12 python3.12-pip)).freeze
    EL = Platform.new(python: '/usr/bin/python3', packages: %w(openssh-clients python3 python3-pip)).freeze
    DEBIAN = Platform.new(python: '/usr/bin/python3', packages: %w(openssh-client python3 python3-venv)).freeze
    SUPPORTED = 'EL 8, 9 and 10, Debian 12 and 13'.freeze

    ETC = '/etc/gm_analytics'.freeze
    WEB = 'gm_analytics_web'.freeze
    # What web and worker share, and what is the worker's alone.
    STORE = '/var/lib/gm_analytics'.freeze
    WORK = '/var/lib/gm_analytics_worker'.freeze
    SIGNING = "#{WORK}/signing".freeze
    # Where earlier releases kept it: in what is shared now.
    OLD_SIGNING = "#{STORE}/signing".freeze
    SQLITE = 'sqlite:///'.freeze
    MIN_SECRET = 16
    # The service checks its own configuration before it is written.
    CHECK = 'import pathlib, sys; from gm_analytics import settings; settings.load(pathlib.Path(sys.argv[1]))'.freeze
    MAKE_SECRET = 'make one with `openssl rand -hex 32` and give it as ci_server.webhook_secret ' \
                  "(in site.yaml), or put it in #{ETC}/webhook_secret".freeze
    REPOSITORY = %r{\A[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+\z}.freeze
    ENDPOINT = 'gm_analytics'.freeze
    OTHER_PATHS = "!(req.url.path == '/healthz' || req.url.path.startsWith('/ci_server/'))".freeze
    NOT_FOUND = { 'type' => 'deny', 'config' => { 'status_code' => 404 } }.freeze
    SHA256 = /\A\h{64}\z/.freeze
    # What an installation needs of a checkout.
    PARTS = %w(LICENSE README.md gm_analytics pyproject.toml requirements.txt swagger).freeze

    module_function

    def platform(family, version)
      major = version.to_i
      return DEBIAN if family == 'debian' && major >= 12
      return major < 10 ? EL8 : EL if family == 'rhel' && major >= 8

      raise Invalid, "ci_server: found #{family} #{version}; expected one of #{SUPPORTED}"
    end

    # Check the node's attributes as a whole; `kept` is the secret that the host already has.
    #
    # @raise [Invalid] naming every attribute that is wrong, and no secret.
    def check!(site, family, kept: nil)
      problems = polls?(site) ? [] : secret_problems(site['webhook_secret'] || kept)
      problems.concat(repository_problems(Array(site['repositories'])))
      %w(source home keys_dir).each do |key|
        problems << "#{key}: found #{site[key].inspect}; expected an absolute path" unless site[key].to_s.match?(%r{\A/[^\s]+\z})
      end
      problems << "port: found #{site['port'].inspect}; expected 1024 to 65535" unless site['port'].is_a?(Integer) && site['port'].between?(1024, 65_535)
      problems.concat(mirror_problems(site['mirror']))
      problems.concat(ngrok_problems(site['ngrok'], family))
      raise Invalid, problems.map { |problem| "ci_server.#{problem}" }.join('; ') unless problems.empty?
    end

    # Without deliveries nobody signs any.
    def polls?(site)
      site['intake'] == 'poll'
    end

    def secret_problems(secret)
      return ["webhook_secret: there is none; #{MAKE_SECRET}"] if secret.to_s.strip.empty?
      return [] if secret.strip.length >= MIN_SECRET

      ["webhook_secret: found #{secret.strip.length} characters; expected #{MIN_SECRET} or more; #{MAKE_SECRET}"]
    end

    def repository_problems(names)
      return ['repositories: found none; expected at least one owner/name'] if names.empty?

      names.grep_v(REPOSITORY).map { |name| "repositories: found #{name.inspect}; expected owner/name" }
    end

    def mirror_problems(mirror)
      said = %w(name user root reposdir releasever).reject { |key| mirror[key].to_s.match?(/\A\S+\z/) }
                                                   .map { |key| "mirror.#{key}: found #{mirror[key].inspect}; expected one word" }
      said << "mirror.address: found #{mirror['address'].inspect}; expected an address" unless address?(mirror['address'])
      said
    end

    def ngrok_problems(ngrok, family)
      return [] unless ngrok['authtoken']
      if ngrok['archive_url']
        return [] if SHA256.match?(ngrok['archive_checksum'].to_s)

        return ["ngrok.archive_checksum: found #{ngrok['archive_checksum'].inspect}; expected the archive's SHA-256"]
      end

      family == 'debian' ? [] : ['ngrok.archive_url: found nil; expected the address of a .tgz, since ngrok has no package repository for EL']
    end

    def address?(value)
      !IPAddr.new(value.to_s).nil?
    rescue IPAddr::Error
      false
    end

    # Give the service's configuration as data; no secret is in it, only their files.
    def config(site)
      mirror = site['mirror']
      data = {
        'webhook' => {
          'secret_file' => ("#{ETC}/webhook_secret" unless polls?(site)),
          'repositories' => Array(site['repositories']),
          'trusted_associations' => site['trusted_associations'] && Array(site['trusted_associations']),
          'trusted_authors' => site['trusted_authors'] && Array(site['trusted_authors']),
        }.compact,
        'intake' => (site['intake'] unless site['intake'] == 'webhook'),
        'reconcile_seconds' => site['reconcile_seconds'],
        'publish' => site['publish'],
        'public_url' => site['public_url'] || domain_url(site['ngrok']),
        'service_id' => site['service_id'],
        **database(site['database_url']),
        'mirrors' => [mirror_config(mirror).merge(site['sign'] ? { 'signing_home' => SIGNING } : {})],
      }.compact
      github = {
        'token_file' => ("#{ETC}/github_token" if site['github_token']),
        'ca_file' => ("#{ETC}/github_ca.pem" if site['github_ca']),
        'proxy' => site['github_proxy'],
      }.compact
      data['github'] = github unless github.empty?
      merge(data, site['extra_config'] || {})
    end

    # An address with a password does not belong into a file that is shown when it changes.
    def database(url)
      sqlite?(url) ? { 'database_url' => url } : { 'database_url_file' => "#{ETC}/database_url" }
    end

    def sqlite?(url)
      url.start_with?(SQLITE)
    end

    # The files of the store that are there: an earlier release made them for one account.
    def store_files(url)
      sqlite?(url) ? Dir.glob("#{url.delete_prefix(SQLITE)}*").select { |path| ::File.file?(path) }.sort : []
    end

    def mirror_config(mirror)
      {
        'name' => mirror['name'], 'host' => mirror['address'], 'port' => mirror['port'], 'user' => mirror['user'],
        'identity_file' => "#{ETC}/id_ed25519", 'known_hosts' => "#{ETC}/known_hosts",
        'root' => mirror['root'], 'url' => mirror['url'] || "http://#{mirror['name']}/repo/",
        'upstream' => {
          'reposdir' => mirror['reposdir'], 'releasever' => mirror['releasever'],
          'arch' => mirror['arch'], 'module_platform_id' => mirror['module_platform_id'],
          'signatures' => mirror['signatures']
        }.compact,
        'helper' => mirror['helper'], 'jump' => mirror['jump'] && mirror['jump'].to_h.compact, 'proxy' => mirror['proxy'],
        'ca_file' => ("#{ETC}/mirror_ca.pem" if mirror['ca']), 'signing' => mirror['signing']
      }.compact
    end

    # Give the package with gpg.
    def gnupg(family)
      family == 'debian' ? 'gnupg' : 'gnupg2'
    end

    def domain_url(ngrok)
      "https://#{ngrok['domain']}" if ngrok && ngrok['domain']
    end

    def merge(data, other)
      data.merge(other) { |_, old, new| old.is_a?(Hash) && new.is_a?(Hash) ? merge(old, new) : new }
    end

    def yaml(data)
      YAML.dump(data).delete_prefix("---\n")
    end

    # The files of a checkout that an installation needs, relative to it, sorted.
    def files(source)
      PARTS.flat_map { |part| Dir.glob([part, "#{part}/**/*"], base: source) }
           .reject { |path| path.include?('__pycache__') || !::File.file?(::File.join(source, path)) }.sort
    end

    # One digest of their names and bytes: it changes when an installation would.
    def digest(source)
      sum = Digest::SHA256.new
      files(source).each { |path| sum << path << "\0" << Digest::SHA256.file(::File.join(source, path)).digest }
      sum.hexdigest
    end

    # Make `target` a copy of those files and of nothing else.
    def copy(source, target)
      FileUtils.rm_rf(target)
      files(source).each do |path|
        place = ::File.join(target, path)
        FileUtils.mkdir_p(::File.dirname(place), mode: 0o755)
        FileUtils.cp(::File.join(source, path), place)
        FileUtils.chmod(0o644, place)
      end
    end

    def read(path)
      ::File.read(path) if ::File.file?(path)
    end

    # The sandbox of all units.
    HARDENING = <<~UNIT.freeze
      NoNewPrivileges=yes
      CapabilityBoundingSet=
      AmbientCapabilities=
      ProtectSystem=strict
      ProtectHome=yes
      PrivateTmp=yes
      PrivateDevices=yes
      ProtectClock=yes
      ProtectHostname=yes
      ProtectControlGroups=yes
      ProtectKernelLogs=yes
      ProtectKernelModules=yes
      ProtectKernelTunables=yes
      ProtectProc=invisible
      InaccessiblePaths=-/vagrant
      RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
      RestrictNamespaces=yes
      RestrictRealtime=yes
      RestrictSUIDSGID=yes
      LockPersonality=yes
      RemoveIPC=yes
      SystemCallArchitectures=native
      SystemCallFilter=@system-service
      SystemCallFilter=~@privileged @resources
      SystemCallErrorNumber=EPERM
    UNIT

    # Ready when it answers, or takes work; a migration of a large store may take minutes before.
    SERVICE = <<~UNIT.freeze
      Type=notify
      TimeoutStartSec=15min
      Environment=GM_ANALYTICS_CONFIG=#{ETC}/config.yaml PYTHONUNBUFFERED=1
      WorkingDirectory=/
      ReadWritePaths=#{STORE}
      UMask=0007
    UNIT

    WEB_ALONE = <<~UNIT.freeze
      Environment=HOME=/nonexistent
      InaccessiblePaths=-#{ETC}/id_ed25519 -#{ETC}/github_token -#{WORK} -/etc/ngrok.yml
      WatchdogSec=60
      LimitNOFILE=16384
      MemoryMax=512M
      TasksMax=256
    UNIT

    # With SQLite the web speaks to nobody but who comes in from this machine.
    LOOPBACK = <<~UNIT.freeze
      IPAddressAllow=localhost
      IPAddressDeny=any
    UNIT

    # A home that the web cannot write to: programs look for files there.
    WORKER_ALONE = <<~UNIT.freeze
      Environment=HOME=#{WORK}
      ReadWritePaths=#{WORK}
      InaccessiblePaths=-#{ETC}/webhook_secret -/etc/ngrok.yml
      WatchdogSec=300
      LimitNOFILE=4096
      MemoryMax=1G
      TasksMax=1024
    UNIT

    # Where the service's files are, ngrok has no business.
    NGROK_ALONE = <<~UNIT.freeze
      InaccessiblePaths=-#{ETC} -#{STORE} -#{WORK}
      UMask=0077
    UNIT

    TUNNEL_ALONE = <<~UNIT.freeze
      Environment=GM_ANALYTICS_CONFIG=#{ETC}/config.yaml PYTHONUNBUFFERED=1
      Environment=HOME=/nonexistent
      WorkingDirectory=/
      InaccessiblePaths=-#{ETC}/id_ed25519 -#{SIGNING} -/etc/ngrok.yml
      UMask=0077
      MemoryMax=256M
      TasksMax=64
    UNIT

    # Give the text of the unit that answers GitHub.
    def web_unit(command, account, database_url)
      more = SERVICE + WEB_ALONE + (sqlite?(database_url) ? LOOPBACK : '')
      sandboxed('gm_analytics: answers GitHub', command, WEB, account, more)
    end

    # Give the text of the unit that does the updates.
    def worker_unit(command, account)
      sandboxed('gm_analytics: does the updates', command, account, account, SERVICE + WORKER_ALONE)
    end

    # Give the text of ngrok's unit.
    def ngrok_unit(binary)
      command = "#{binary} start #{ENDPOINT} --config=/etc/ngrok.yml --log=stdout"
      sandboxed('ngrok: leads GitHub to gm_analytics', command, 'ngrok', 'ngrok', NGROK_ALONE)
    end

    # Give the text of the unit that tells GitHub each address that ngrok gets. It takes the web's
    # secret and the worker's token, which no other account has both of: so it is root, which may read
    # files and nothing else.
    def tunnel_unit(program, account, port)
      command = "#{program} tunnel --no-start --port #{port}"
      text = sandboxed('gm_analytics: tells GitHub where ngrok leads', command, 'root', account, TUNNEL_ALONE)
      text.sub(/^CapabilityBoundingSet=$/, 'CapabilityBoundingSet=CAP_DAC_READ_SEARCH')
    end

    # GitHub is told by a token, and nothing is told where nothing is delivered.
    def registers?(site)
      ngrok = site['ngrok']
      !!(ngrok['authtoken'] && ngrok['register'] && site['github_token'] && !polls?(site))
    end

    # Give ngrok's configuration. Its local API says which address the endpoint has; its inspector,
    # which would keep deliveries, is off. What is not for GitHub is refused before it comes here.
    def ngrok_config(authtoken, port, domain)
      {
        'version' => 3,
        'agent' => {
          'authtoken' => authtoken, 'update_check' => false, 'remote_management' => false,
          'web_addr' => '127.0.0.1:4040', 'inspect_db_size' => -1
        },
        'endpoints' => [
          {
            'name' => ENDPOINT, 'url' => domain && "https://#{domain}",
            'upstream' => { 'url' => "http://127.0.0.1:#{port}" },
            'traffic_policy' => { 'on_http_request' => [{ 'expressions' => [OTHER_PATHS], 'actions' => [NOT_FOUND] }] }
          }.compact,
        ],
      }
    end

    def sandboxed(description, command, account, group, more)
      [
        <<~UNIT, more, HARDENING, <<~INSTALL
          # Generated by Chef (cookbook ci_server); changes are overwritten.
          [Unit]
          Description=#{description}
          After=network-online.target
          Wants=network-online.target
          StartLimitIntervalSec=0

          [Service]
          ExecStart=#{command}
          User=#{account}
          Group=#{group}
          Restart=always
          RestartSec=2
          TimeoutStopSec=30
        UNIT

          [Install]
          WantedBy=multi-user.target
        INSTALL
      ].join
    end
  end
end
