require_relative 'spec_helper'

ci = GmAnalytics::Ci
SECRET = 'a secret of the specs'.freeze

RSpec.describe ci do
  def site(**changed)
    {
      'source' => '/vagrant', 'home' => '/opt/gm_analytics', 'keys_dir' => '/etc/gm_keys', 'port' => 8080,
      'webhook_secret' => SECRET, 'repositories' => ['owner/name'], 'trusted_associations' => ['OWNER'],
      'publish' => 'on_pull_request', 'database_url' => 'sqlite:////x', 'ngrok' => {},
      'mirror' => { 'name' => 'mirror.example', 'address' => '10.0.0.3', 'port' => 22, 'user' => 'mirror', 'root' => '/var/repo', 'reposdir' => '/etc/r', 'releasever' => '9' }
    }.merge(changed.transform_keys(&:to_s))
  end

  def archive(checksum)
    { 'authtoken' => 't', 'archive_url' => 'https://x/ngrok.tgz', 'archive_checksum' => checksum }
  end

  it('takes a right site') { expect { described_class.check!(site, 'rhel') }.not_to raise_error }

  it 'says how to make a secret where there is none' do
    expect { described_class.check!(site(webhook_secret: nil), 'debian') }
      .to raise_error(ci::Invalid, /ci_server.webhook_secret: there is none; make one with `openssl rand -hex 32` and give it as ci_server.webhook_secret/)
  end

  it 'never prints a secret' do
    expect { described_class.check!(site(webhook_secret: 'tooshort'), 'debian') }.to raise_error(ci::Invalid) do |error|
      expect(error.message).to include('found 8 characters; expected 16 or more')
      expect(error.message).not_to include('tooshort')
    end
  end

  it 'takes the secret that the host has' do
    expect { described_class.check!(site(webhook_secret: nil), 'debian', kept: "#{SECRET}\n") }.not_to raise_error
    expect { described_class.check!(site(webhook_secret: nil), 'debian', kept: "\n") }.to raise_error(ci::Invalid, /there is none/)
  end

  {
    'no repository' => [{ repositories: [] }, %r{repositories: found none; expected at least one owner/name}],
    'a repository without its owner' => [{ repositories: ['name'] }, %r{repositories: found "name"; expected owner/name}],
    'a relative source' => [{ source: '.' }, /source: found "."; expected an absolute path/],
    'a port that is none' => [{ port: 80 }, /port: found 80; expected 1024 to 65535/],
  }.each do |what, (changed, said)|
    it("refuses #{what}") { expect { described_class.check!(site(**changed), 'debian') }.to raise_error(ci::Invalid, said) }
  end

  it 'refuses a mirror without an address' do
    expect { described_class.check!(site(mirror: site['mirror'].merge('address' => 'x', 'user' => nil)), 'debian') }
      .to raise_error(ci::Invalid, /mirror.user: found nil; .*mirror.address: found "x"; expected an address/)
  end

  it 'wants a checksum with an archive of ngrok, and an archive on EL' do
    expect { described_class.check!(site(ngrok: archive('12')), 'debian') }.to raise_error(ci::Invalid, /ngrok.archive_checksum: found "12"/)
    expect { described_class.check!(site(ngrok: archive('a' * 64)), 'rhel') }.not_to raise_error
    expect { described_class.check!(site(ngrok: { 'authtoken' => 't' }), 'debian') }.not_to raise_error
    expect { described_class.check!(site(ngrok: { 'authtoken' => 't' }), 'rhel') }.to raise_error(ci::Invalid, /ngrok.archive_url: found nil; expected the address of a .tgz/)
  end

  it 'has a Python that is new enough on each platform' do
    found = [%w(rhel 8.10), %w(rhel 9.6), %w(rhel 10.0), %w(debian 12), %w(debian 13)].map { |family, version| described_class.platform(family, version).python }
    expect(found).to eq(%w(/usr/bin/python3.12 /usr/bin/python3.12 /usr/bin/python3 /usr/bin/python3 /usr/bin/python3))
    [%w(rhel 7.9), %w(debian 11), %w(ubuntu 24.04)].each do |family, version|
      expect { described_class.platform(family, version) }.to raise_error(ci::Invalid, /found #{family} #{version}; expected one of EL 8, 9 and 10, Debian 12/)
    end
  end

  it 'narrows who may cause updates only where that is said' do
    found = described_class.config(site(trusted_associations: nil))
    expect(found['webhook'].keys).to eq(%w(secret_file repositories))
    narrow = described_class.config(site(trusted_associations: nil, trusted_authors: ['ana']))
    expect(narrow['webhook'].slice('trusted_associations', 'trusted_authors')).to eq('trusted_authors' => ['ana'])
  end

  it 'words the configuration, without secrets' do
    text = described_class.yaml(described_class.config(site(github_token: 'token', ngrok: { 'domain' => 'x.ngrok.app' }, extra_config: { 'github' => { 'manifest' => 'p.json' } })))
    found = YAML.safe_load(text)
    expect(found['webhook']).to eq('secret_file' => '/etc/gm_analytics/webhook_secret', 'repositories' => ['owner/name'], 'trusted_associations' => ['OWNER'])
    expect(found['github']).to eq('token_file' => '/etc/gm_analytics/github_token', 'manifest' => 'p.json')
    expect(found['public_url']).to eq('https://x.ngrok.app')
    expect(found['mirrors'].first).to include('host' => '10.0.0.3', 'url' => 'http://mirror.example/repo/', 'upstream' => { 'reposdir' => '/etc/r', 'releasever' => '9' })
    expect(text).not_to include(SECRET)
    expect(found['mirrors'].first.keys).not_to include('helper', 'signing_home')
    mirror = site['mirror'].merge('helper' => '/usr/local/sbin/gm-mirror-helper')
    expect(described_class.config(site(mirror: mirror))['mirrors'].first['helper']).to eq('/usr/local/sbin/gm-mirror-helper')
  end

  it "names the file of GitHub's authority, when there is one" do
    expect(described_class.config(site(github_ca: 'PEM'))['github']).to eq('ca_file' => '/etc/gm_analytics/github_ca.pem')
  end

  it 'says what stands between: proxies, a bastion, an authority' do
    jump = { 'host' => 'bastion.example', 'user' => nil }
    mirror = site['mirror'].merge('jump' => jump, 'proxy' => 'none', 'ca' => 'PEM', 'signing' => 'off', 'url' => 'https://mirror.example/repo/')
    found = described_class.config(site(mirror: mirror, github_proxy: 'http://proxy.example:3128'))
    expect(found['github']).to eq('proxy' => 'http://proxy.example:3128')
    expect(found['mirrors'].first).to include('jump' => { 'host' => 'bastion.example' }, 'proxy' => 'none', 'signing' => 'off', 'ca_file' => '/etc/gm_analytics/mirror_ca.pem', 'url' => 'https://mirror.example/repo/')
  end

  it 'needs no secret where GitHub is only looked at' do
    polling = site(intake: 'poll', reconcile_seconds: 60, webhook_secret: nil)
    expect { described_class.check!(polling, 'debian') }.not_to raise_error
    found = described_class.config(polling)
    expect(found).to include('intake' => 'poll', 'reconcile_seconds' => 60)
    expect(found['webhook']).not_to include('secret_file')
    expect(described_class.config(site(intake: 'webhook'))).not_to include('intake')
  end

  it 'is the same service when its host is built again' do
    expect(described_class.config(site(service_id: 'ci'))['service_id']).to eq('ci')
    expect(described_class.config(site)).not_to include('service_id')
  end

  it 'configures signatures: of packages, and of metadata' do
    config = described_class.config(site(sign: true, mirror: site['mirror'].merge('signatures' => 'required')))
    expect(config['mirrors'].first).to include('signing_home' => '/var/lib/gm_analytics_worker/signing', 'upstream' => include('signatures' => 'required'))
  end

  it 'keeps the address of a database that may have a password in a file of its own' do
    found = described_class.config(site(database_url: 'postgresql://gm:word@db/gm'))
    expect(found['database_url_file']).to eq('/etc/gm_analytics/database_url')
    expect(found.to_s).not_to include('word')
    expect(described_class.config(site)['database_url']).to eq('sqlite:////x')
  end

  it "finds the store's files, and nothing else" do
    Dir.mktmpdir do |dir|
      %w(updates.sqlite updates.sqlite-wal updates.sqlite.migration.lock other).each { |name| File.write("#{dir}/#{name}", '') }
      FileUtils.mkdir("#{dir}/updates.sqlite.d")
      found = described_class.store_files("sqlite:///#{dir}/updates.sqlite").map { |path| File.basename(path) }
      expect(found).to eq(%w(updates.sqlite updates.sqlite-wal updates.sqlite.migration.lock))
    end
    expect(described_class.store_files('postgresql://db/gm')).to eq([])
  end

  it 'closes the network to the web where the store is a file, and the secrets of the other to each' do
    web, remote = ['sqlite:////x', 'postgresql://db/gm'].map { |url| described_class.web_unit('x', 'gm_analytics', url) }
    worker = described_class.worker_unit('x', 'gm_analytics')
    expect(web).to match(/^IPAddressAllow=localhost\nIPAddressDeny=any$/)
    expect(remote + worker).not_to include('IPAddress')
    expect(web).to match(%r{^User=gm_analytics_web\nGroup=gm_analytics$.*^InaccessiblePaths=-/etc/gm_analytics/id_ed25519 -/etc/gm_analytics/github_token -/var/lib/gm_analytics_worker }m)
    expect(worker).to match(%r{^User=gm_analytics\nGroup=gm_analytics$.*^InaccessiblePaths=-/etc/gm_analytics/webhook_secret }m)
    expect(web.scan(/^ReadWritePaths=.*/)).to eq(['ReadWritePaths=/var/lib/gm_analytics'])
    expect(worker.scan(/^ReadWritePaths=.*/)).to eq(['ReadWritePaths=/var/lib/gm_analytics', 'ReadWritePaths=/var/lib/gm_analytics_worker'])
    expect([web, worker]).to all(match(/^Type=notify\nTimeoutStartSec=15min$.*^WatchdogSec=\d+$/m))
    expect([web, worker]).to all(match(/^UMask=0007$.*^LimitNOFILE=\d+\nMemoryMax=\w+\nTasksMax=\d+$.*^SystemCallFilter=@system-service$/m))
    # systemd would give a directory that both name to whoever starts last.
    expect(web + worker).not_to include('StateDirectory')
  end

  it 'has ngrok keep no request, and lead to nothing but what GitHub calls' do
    text = described_class.yaml(described_class.ngrok_config("to'ken: \"x\"", 8080, 'x.ngrok.app'))
    found = YAML.safe_load(text)
    expect(found['agent']).to include('authtoken' => "to'ken: \"x\"", 'inspect_db_size' => -1, 'web_addr' => '127.0.0.1:4040')
    endpoint = found['endpoints'].first
    expect(endpoint).to include('url' => 'https://x.ngrok.app', 'upstream' => { 'url' => 'http://127.0.0.1:8080' })
    rule = endpoint['traffic_policy']['on_http_request'].first
    expect(rule['expressions']).to eq(["!(req.url.path == '/healthz' || req.url.path.startsWith('/ci_server/'))"])
    expect(rule['actions']).to eq([{ 'type' => 'deny', 'config' => { 'status_code' => 404 } }])
    expect(described_class.ngrok_config('t', 8080, nil)['endpoints'].first.keys).not_to include('url')
    expect(described_class.ngrok_unit('/opt/ngrok/ngrok')).to match(%r{^ExecStart=/opt/ngrok/ngrok start #{endpoint['name']} --config=/etc/ngrok.yml})
  end

  it 'tells GitHub the address of the tunnel by a unit that may read both secrets, and nothing else' do
    unit = described_class.tunnel_unit('/x/gm-analytics', 'gm_analytics', 8080)
    expect(unit).to match(%r{^ExecStart=/x/gm-analytics tunnel --no-start --port 8080\nUser=root$})
    expect(unit.scan(/^CapabilityBoundingSet=.*/)).to eq(['CapabilityBoundingSet=CAP_DAC_READ_SEARCH'])
    expect(unit).to match(%r{^InaccessiblePaths=-/etc/gm_analytics/id_ed25519 .*^ProtectSystem=strict$}m)
    expect(unit).not_to include('ReadWritePaths')
    ngrok = { 'authtoken' => 't', 'register' => true }
    expect(described_class.registers?(site(ngrok: ngrok, github_token: 'token'))).to be(true)
    expect(described_class.registers?(site(ngrok: ngrok))).to be(false)
    expect(described_class.registers?(site(ngrok: ngrok.merge('register' => false), github_token: 'token'))).to be(false)
    expect(described_class.registers?(site(ngrok: ngrok, github_token: 'token', intake: 'poll'))).to be(false)
    expect(described_class.registers?(site(github_token: 'token'))).to be(false)
  end

  it 'copies of a checkout what an installation needs, and nothing that went away' do
    Dir.mktmpdir do |dir|
      source, target = %w(source target).map { |name| "#{dir}/#{name}" }
      FileUtils.mkdir_p(["#{source}/gm_analytics/__pycache__", "#{source}/.git", target])
      %w(pyproject.toml gm_analytics/app.py gm_analytics/__pycache__/app.pyc .git/config).each { |path| File.write("#{source}/#{path}", path) }
      File.write("#{target}/old.py", '')
      before = described_class.digest(source)
      described_class.copy(source, target)
      expect(Dir.glob('**/*.*', base: target)).to contain_exactly('gm_analytics/app.py', 'pyproject.toml')
      expect(described_class.digest(target)).to eq(before)
      File.write("#{source}/gm_analytics/app.py", 'changed')
      expect(described_class.digest(source)).not_to eq(before)
    end
  end
end

RSpec.describe 'ci_server::default' do
  steps = %w(account key virtualenv config signing store units ngrok).map { |name| "ci_server_#{name}" } << 'mirror_client_host'
  etc = '/etc/gm_analytics'

  before do
    allow(ci).to receive(:read).and_return(nil)
    allow(ci).to receive(:copy)
    allow(ci).to receive(:digest).and_return('new')
    allow(File).to receive(:read).and_call_original
    allow(File).to receive(:read).with("#{etc}/id_ed25519.pub").and_return("ssh-ed25519 AAAA ci_server\n")
  end

  define_method(:run) do |platform, into: steps, **attributes|
    converge('ci_server', platform, step_into: into) do |node|
      { webhook_secret: SECRET, repositories: ['owner/name'], **attributes }.each { |key, value| node.override['ci_server'][key] = value }
    end
  end

  PLATFORMS.each_key do |platform|
    context "on #{platform}" do
      let(:chef_run) { run(platform) }
      let(:python) { ['EL 8', 'EL 9'].include?(platform) ? 'python3.12' : 'python3' }

      it 'has a Python that is new enough' do
        rest = debian?(platform) ? %w(openssh-client python3 python3-venv) : ['openssh-clients', python, "#{python}-pip"]
        expect(chef_run).to install_package(rest)
      end

      it 'has two accounts that nobody logs in to' do
        expect(chef_run).to create_ci_server_account('gm_analytics')
        expect(chef_run).to create_group('gm_analytics').with(system: true)
        expect(chef_run).to create_user('gm_analytics').with(shell: '/usr/sbin/nologin', system: true)
        expect(chef_run).to create_user('gm_analytics_web').with(gid: 'gm_analytics', home: '/nonexistent', shell: '/usr/sbin/nologin', system: true)
        expect(chef_run).to create_directory(etc).with(group: 'gm_analytics', mode: '0750')
        expect(chef_run).to create_directory('/var/lib/gm_analytics_worker').with(owner: 'gm_analytics', group: 'gm_analytics', mode: '0700')
      end

      it 'shares the store, and that of a release before, among both' do
        allow(ci).to receive(:store_files).with('sqlite:////var/lib/gm_analytics/updates.sqlite').and_return([__FILE__])
        expect(chef_run).to create_ci_server_store('gm_analytics')
        expect(chef_run).to create_directory('/var/lib/gm_analytics').with(owner: 'gm_analytics', group: 'gm_analytics', mode: '2770')
        expect(chef_run).to create_file(__FILE__).with(group: 'gm_analytics', mode: '0660', content: nil)
      end

      it 'makes its key here and gives away the public half alone' do
        expect(chef_run).to create_ci_server_key('gm_analytics')
        expect(chef_run).to run_execute('make the SSH key').with(creates: "#{etc}/id_ed25519")
        expect(chef_run).to create_file("#{etc}/id_ed25519").with(owner: 'gm_analytics', mode: '0600', content: nil, sensitive: true)
        expect(chef_run).to create_directory('/etc/gm_keys').with(mode: '0755')
        expect(chef_run).to create_file('/etc/gm_keys/ci_server.pub').with(content: "ssh-ed25519 AAAA ci_server\n")
        expect(chef_run).to create_link("#{etc}/known_hosts").with(to: '/etc/gm_keys/mirror_server.hostkey')
      end

      it 'knows the mirror by name' do
        expect(chef_run).to create_mirror_client_host('mirror.icesi.edu.co')
        expect(chef_run).to create_file('/etc/hosts').with(content: /^192.168.131.103 mirror.icesi.edu.co$/)
      end

      it 'installs the service in a virtual environment' do
        expect(chef_run).to install_ci_server_virtualenv('/opt/gm_analytics').with(source: '/vagrant')
        expect(chef_run).to create_directory('/opt/gm_analytics')
        expect(chef_run).to run_execute('make the virtual environment').with(command: ["/usr/bin/#{python}", '-m', 'venv', '/opt/gm_analytics/venv'])
        expect(chef_run).to run_execute('install what the service needs').with(command: include('/opt/gm_analytics/src/requirements.txt'))
        expect(chef_run).to run_execute('install the service').with(command: end_with('--editable', '/opt/gm_analytics/src'))
        expect(chef_run).to create_file('/opt/gm_analytics/installed.sha256').with(content: "new\n")
        expect(ci).to have_received(:copy).with('/vagrant', '/opt/gm_analytics/src')
      end

      it 'has a configuration that was tested, and secrets that only who needs them reads' do
        expect(chef_run).to create_ci_server_config('gm_analytics')
        expect(chef_run).to create_file("#{etc}/webhook_secret").with(content: "#{SECRET}\n", owner: 'gm_analytics_web', mode: '0600', sensitive: true)
        expect(chef_run).to create_template("#{etc}/config.yaml").with(owner: nil, group: 'gm_analytics', mode: '0640', sensitive: true)
        expect(chef_run).not_to create_file("#{etc}/database_url")
        expect(chef_run).to render_file("#{etc}/config.yaml").with_content(%r{\A# Generated by Chef.*^  repositories:\n  - owner/name$}m)
        expect(chef_run).to render_file("#{etc}/config.yaml").with_content(/^service_id: #{chef_run.node['hostname']}$/)
        expect(tests_of(chef_run.template("#{etc}/config.yaml"))).to contain_exactly(/settings.load.* %\{path\}\z/)
      end

      it 'makes no key for metadata unless asked to' do
        expect(chef_run).not_to create_ci_server_signing('gm_analytics')
        expect(chef_run).not_to run_execute('make the signing key')
      end

      it 'makes a key for metadata as the account of the service when asked to' do
        on = run(platform, sign: true)
        expect(on).to create_ci_server_signing('gm_analytics')
        expect(on).to install_package(debian?(platform) ? 'gnupg' : 'gnupg2')
        expect(on).to run_execute('make the signing key').with(
          command: ['/opt/gm_analytics/venv/bin/gm-analytics', 'key', '--config', "#{etc}/config.yaml"],
          user: 'gm_analytics', group: 'gm_analytics', creates: '/var/lib/gm_analytics_worker/signing/RPM-GPG-KEY-gm-mirror'
        )
      end

      it 'runs web and worker' do
        expect(chef_run).to create_ci_server_units('gm_analytics')
        expect(chef_run).to create_systemd_unit('gm-analytics-web.service').with(content: /^User=gm_analytics_web$/)
        expect(chef_run).to create_systemd_unit('gm-analytics-worker.service').with(content: /^User=gm_analytics$/)
        { 'web' => 'web --host 127.0.0.1 --port 8080', 'worker' => 'worker' }.each do |name, command|
          unit = "gm-analytics-#{name}.service"
          expect(chef_run).to create_systemd_unit(unit).with(content: %r{^ExecStart=/opt/gm_analytics/venv/bin/gm-analytics #{command}$})
          expect(chef_run).to create_systemd_unit(unit).with(content: /^Restart=always$.*^NoNewPrivileges=yes$.*^ProtectSystem=strict$/m)
          expect(chef_run).to enable_systemd_unit(unit)
          expect(chef_run).to start_systemd_unit(unit)
        end
      end

      it 'restarts them when what they run changed' do
        units = chef_run.find_resource(:ci_server_units, 'gm_analytics')
        expect(units).to subscribe_to('ci_server_virtualenv[/opt/gm_analytics]').on(:restart)
        expect(units).to subscribe_to('ci_server_config[gm_analytics]').on(:restart)
      end

      it 'has no ngrok without an authtoken' do
        expect(chef_run).to disable_ci_server_ngrok('ngrok')
        expect(chef_run).to stop_systemd_unit('ngrok.service')
        expect(chef_run).to disable_systemd_unit('ngrok.service')
        expect(chef_run).to delete_systemd_unit('ngrok.service')
        expect(chef_run).to delete_file('/etc/ngrok.yml')
        expect(chef_run).to stop_systemd_unit('gm-analytics-tunnel.service')
        expect(chef_run).to disable_systemd_unit('gm-analytics-tunnel.service')
        expect(chef_run).to delete_systemd_unit('gm-analytics-tunnel.service')
      end

      it 'has GitHub told where ngrok leads, with a token' do
        ngrok = { authtoken: 'token', archive_url: 'https://x/ngrok.tgz', archive_checksum: 'a' * 64 }
        chef_run = run(platform, ngrok: ngrok, github_token: 'a token')
        unit = 'gm-analytics-tunnel.service'
        expect(chef_run).to create_systemd_unit(unit).with(content: %r{^ExecStart=/opt/gm_analytics/venv/bin/gm-analytics tunnel --no-start --port 8080$})
        expect(chef_run).to enable_systemd_unit(unit)
        expect(chef_run).to start_systemd_unit(unit)
        expect(chef_run.systemd_unit(unit)).to notify("systemd_unit[#{unit}]").to(:restart)
        found = chef_run.find_resource(:ci_server_ngrok, 'ngrok')
        expect(found).to subscribe_to('ci_server_config[gm_analytics]').on(:restart)
        expect(found).to subscribe_to('ci_server_virtualenv[/opt/gm_analytics]').on(:restart)
        without = run(platform, ngrok: ngrok.merge(register: false), github_token: 'a token')
        expect(without).to delete_systemd_unit(unit)
      end

      it 'has ngrok from an archive of the given checksum with one' do
        allow(File).to receive(:exist?).and_call_original
        allow(File).to receive(:exist?).with('/opt/ngrok/ngrok').and_return(false)
        chef_run = run(platform, ngrok: { authtoken: 'token', domain: 'x.ngrok.app', archive_url: 'https://x/ngrok.tgz', archive_checksum: 'a' * 64 })
        archive = chef_run.find_resources(:remote_file).first
        expect(chef_run).to enable_ci_server_ngrok('ngrok')
        expect(chef_run).to create_remote_file(archive.path).with(checksum: 'a' * 64)
        expect(archive).to notify('archive_file[ngrok]').to(:extract).immediately
        expect(chef_run).to extract_archive_file('ngrok').with(destination: '/opt/ngrok')
        expect(chef_run).to create_group('ngrok')
        expect(chef_run).to create_user('ngrok').with(shell: '/usr/sbin/nologin')
        expect(chef_run).to create_template('/etc/ngrok.yml').with(mode: '0640', sensitive: true)
        expect(chef_run).to render_file('/etc/ngrok.yml').with_content(/^  authtoken: token$.*^  inspect_db_size: -1$.*^  url: https:..x.ngrok.app$/m)
        expect(tests_of(chef_run.template('/etc/ngrok.yml'))).to eq(['/opt/ngrok/ngrok config check --config %{path}'])
        expect(chef_run).to create_systemd_unit('ngrok.service').with(content: %r{^ExecStart=/opt/ngrok/ngrok start gm_analytics --config})
        expect(chef_run).to enable_systemd_unit('ngrok.service')
        expect(chef_run).to start_systemd_unit('ngrok.service')
      end

      it 'stops where the secret is missing' do
        expect { run(platform, webhook_secret: nil) }.to raise_error(ci::Invalid, /webhook_secret: there is none; make one/)
      end
    end
  end

  ['Debian 12', 'Debian 13'].each do |platform|
    it "takes ngrok from its package repository on #{platform}" do
      chef_run = run(platform, ngrok: { authtoken: 'token' })
      expect(chef_run).to install_package('gnupg')
      expect(chef_run).to add_apt_repository('ngrok')
      expect(chef_run).to install_package('ngrok')
      expect(chef_run).to create_systemd_unit('ngrok.service').with(content: %r{^ExecStart=/usr/local/bin/ngrok start gm_analytics --config})
    end
  end

  it 'stops on any other platform' do
    expect { run('EL 7') }.to raise_error(ci::Invalid, /ci_server: found rhel 7\.8.*; expected one of EL 8/)
  end

  it 'restarts both units when told to' do
    chef_run = run('EL 9')
    units = chef_run.find_resource(:ci_server_units, 'gm_analytics')
    units.run_action(:restart)
    restarted = chef_run.find_resources(:systemd_unit).select { |unit| unit.action == [:restart] }
    expect(restarted.map(&:name)).to include('gm-analytics-web.service', 'gm-analytics-worker.service')
  end

  it 'installs without network from a directory of wheels' do
    expect(run('Debian 12', wheels: '/wheels')).to run_execute('install the service').with(command: include('--no-index', '--find-links', '/wheels'))
  end

  it 'installs nothing twice' do
    allow(ci).to receive(:read).with('/opt/gm_analytics/installed.sha256').and_return("new\n")
    chef_run = run('EL 9')
    expect(chef_run).not_to run_execute('install what the service needs')
    expect(chef_run).not_to run_execute('install the service')
    expect(ci).not_to have_received(:copy)
  end

  it 'moves the signing key of a release before out of what is shared, once' do
    allow(File).to receive(:directory?).and_call_original
    allow(File).to receive(:directory?).with('/var/lib/gm_analytics/signing').and_return(true)
    moved = ['mv', '--no-target-directory', '/var/lib/gm_analytics/signing', '/var/lib/gm_analytics_worker/signing']
    expect(run('EL 9', sign: true)).to run_execute('move the signing key').with(command: moved)
    allow(File).to receive(:exist?).and_call_original
    allow(File).to receive(:exist?).with('/var/lib/gm_analytics_worker/signing').and_return(true)
    expect(run('EL 9', sign: true)).not_to run_execute('move the signing key')
  end

  it 'writes the address of a database with a password where both read it, and no difference of it' do
    found = run('Debian 12', database_url: 'postgresql://gm:word@db/gm')
    expect(found).to create_file("#{etc}/database_url").with(content: "postgresql://gm:word@db/gm\n", owner: nil, group: 'gm_analytics', mode: '0640', sensitive: true)
    expect(found).to create_systemd_unit('gm-analytics-web.service').with(content: /\A(?!.*IPAddressDeny)/m)
  end

  it 'writes the token of GitHub where only the worker reads it, when there is one' do
    expect(run('EL 10')).not_to create_file("#{etc}/github_token")
    expect(run('EL 10', github_token: 'token')).to create_file("#{etc}/github_token").with(content: "token\n", owner: 'gm_analytics', mode: '0600', sensitive: true)
  end

  it "writes the certificates of GitHub's authority, when there are some" do
    expect(run('EL 10')).not_to create_file("#{etc}/github_ca.pem")
    expect(run('EL 10', github_ca: "PEM\n")).to create_file("#{etc}/github_ca.pem").with(content: "PEM\n", mode: '0644')
  end

  it "writes the certificates of the authority of the mirror's web server, when there are some" do
    expect(run('EL 10')).not_to create_file("#{etc}/mirror_ca.pem")
    expect(run('EL 10', mirror: { ca: "PEM\n" })).to create_file("#{etc}/mirror_ca.pem").with(content: "PEM\n", mode: '0644')
  end

  it "keeps the host's own secret" do
    allow(ci).to receive(:read).with("#{etc}/webhook_secret").and_return("#{SECRET}\n")
    expect(run('EL 9', webhook_secret: nil)).to create_file("#{etc}/webhook_secret").with(content: nil, mode: '0600')
  end
end
