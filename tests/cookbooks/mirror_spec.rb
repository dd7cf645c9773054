require 'open3'
require_relative 'spec_helper'

mirror = GmAnalytics::Mirror
PUBLIC_KEY = "ssh-ed25519 #{'A' * 68}".freeze

RSpec.describe mirror do
  def site(**changed)
    {
      'name' => 'mirror.example', 'address' => '192.168.131.103', 'account' => 'mirror', 'root' => '/var/repo',
      'keys_dir' => '/etc/gm_keys', 'ci_from' => ['192.168.131.0/24'], 'upstream_dir' => '/etc/gm-mirror/yum.repos.d',
      'releasever' => '9', 'repositories' => [{ 'id' => 'base', 'baseurl' => 'http://x/', 'gpgcheck' => false }]
    }.merge(changed.transform_keys(&:to_s))
  end

  it('takes a right site') { expect { described_class.check!(site) }.not_to raise_error }

  {
    'a name that is none' => [{ name: 'a b' }, /mirror_server.name: found "a b"; expected a host name/],
    'an account that is none' => [{ account: 'root;' }, /account: found "root;"/],
    'a relative root' => [{ root: 'repo' }, /root: found "repo"; expected an absolute path/],
    'an address that is none' => [{ address: 'mirror' }, /address: found "mirror"; expected an address/],
    'sources that are none' => [{ ci_from: ['*'] }, /ci_from: found "\*"/],
    'no source' => [{ ci_from: [] }, /ci_from: found none/],
    'no repository' => [{ repositories: [] }, /repositories: found none; expected at least one/],
    'a repository of no address' => [{ repositories: [{ 'id' => 'a', 'gpgcheck' => false }] }, /repositories\[0\]: expected baseurl or mirrorlist/],
    'a repository of two' => [{ repositories: [{ 'id' => 'a', 'gpgcheck' => false, 'baseurl' => 'x', 'mirrorlist' => 'y' }] }, /one of them/],
    'a check without a key' => [{ repositories: [{ 'id' => 'a', 'baseurl' => 'x' }] }, /repositories\[0\]: gpgcheck needs gpgkey or gpgkey_content/],
    'an id with a blank' => [{ repositories: [{ 'id' => 'a b', 'baseurl' => 'x', 'gpgcheck' => false }] }, /repositories\[0\].id: found "a b"/],
    'a word that it does not know' => [{ repositories: [{ 'id' => 'a', 'baseurl' => 'x', 'gpgcheck' => false, 'proxy' => 'z' }] }, /found proxy; expected only/],
    'a helper option with a command in it' => [{ helper_options: { 'arch' => '$(id)' } }, /helper_options.arch: found "\$\(id\)"; expected one word/],
    'a helper option that it does not know' => [{ helper_options: { 'root' => '/' } }, /helper_options: found root; expected only arch/],
    'a value of two lines' => [{ repositories: [{ 'id' => 'a', 'baseurl' => "x\nexclude=*", 'gpgcheck' => false }] }, /baseurl: .* expected one line/],
  }.each do |what, (changed, said)|
    it("refuses #{what}") { expect { described_class.check!(site(**changed)) }.to raise_error(mirror::Invalid, said) }
  end

  it 'refuses other platforms' do
    [%w(rhel 7.9), %w(debian 11), %w(fedora 41)].each do |family, version|
      expect { described_class.platform(family, version) }.to raise_error(mirror::Invalid, /found #{family} #{version}; expected one of EL 8, 9 and 10, Debian 12/)
    end
  end

  it 'writes a line of known_hosts' do
    expect(described_class.known_hosts_line(%w(mirror.example 192.168.131.103), "#{PUBLIC_KEY} root@host\n")).to eq("mirror.example,192.168.131.103 #{PUBLIC_KEY}\n")
  end

  it 'writes a repository in the words of yum' do
    lines = described_class.repository_lines({ 'id' => 'a', 'mirrorlist' => 'http://m/', 'gpgkey_content' => 'KEY' }, '/etc/gm-mirror/keys')
    expect(lines).to eq('name' => 'a', 'mirrorlist' => 'http://m/', 'enabled' => 1, 'gpgcheck' => 1, 'gpgkey' => 'file:///etc/gm-mirror/keys/a', 'skip_if_unavailable' => 0)
  end
end

RSpec.describe 'mirror_server::default' do
  steps = %w(account helper login upstream publication web).map { |name| "mirror_server_#{name}" }

  before do
    allow(File).to receive(:symlink?).and_call_original
    allow(File).to receive(:symlink?).with('/var/repo/repodata').and_return(false)
    allow(File).to receive(:exist?).and_call_original
    allow(File).to receive(:exist?).with('/var/repo/repodata').and_return(false)
    allow(File).to receive(:read).and_call_original
    allow(File).to receive(:read).with('/etc/ssh/sshd_config').and_return("UsePAM yes\n")
    allow(File).to receive(:read).with('/etc/ssh/ssh_host_ed25519_key.pub').and_return("#{PUBLIC_KEY} root@mirror\n")
    allow(mirror).to receive(:selinux?).and_return(false)
    stub_command('command -v firewall-cmd >/dev/null && firewall-cmd --quiet --state').and_return(true)
    stub_command('firewall-cmd --quiet --permanent --query-service=http').and_return(false)
  end

  define_method(:run) do |platform, **attributes|
    converge('mirror_server', platform, step_into: steps) do |node|
      attributes.each { |key, value| node.override['mirror_server'][key] = value }
    end
  end

  PLATFORMS.each_key do |platform|
    context "on #{platform}" do
      let(:chef_run) { run(platform) }
      let(:ssh) { debian?(platform) ? 'ssh' : 'sshd' }

      it 'has the package tools, the web server and sshd' do
        tools = debian?(platform) ? 'createrepo-c' : 'createrepo_c'
        expect(chef_run).to install_package(Set[tools, 'dnf', 'nginx', 'openssh-server', 'rpm', 'util-linux'].to_a)
      end

      it 'has an account without a password that owns the mirror' do
        expect(chef_run).to create_mirror_server_account('mirror')
        expect(chef_run).to create_group('mirror').with(system: true)
        expect(chef_run).to create_user('mirror').with(password: '*', home: '/var/repo', manage_home: false, system: true)
        expect(chef_run).to create_directory('/var/repo').with(owner: 'mirror', mode: '0755')
      end

      it 'lets it in by the key of the CI server alone' do
        expect(chef_run).to create_mirror_server_login('mirror')
        expect(chef_run).to create_directory('/etc/gm_keys').with(mode: '0755')
        expect(chef_run).to create_template('/usr/libexec/gm-mirror-authorized-keys').with(mode: '0755')
        expect(chef_run).to run_execute('make the SSH host keys').with(creates: '/etc/ssh/ssh_host_ed25519_key')
        expect(chef_run).to enable_service(ssh)
        expect(chef_run).to start_service(ssh)
        conf = chef_run.template(platform == 'EL 8' ? '/etc/ssh/sshd_config' : '/etc/ssh/sshd_config.d/10-gm-mirror.conf')
        expect(chef_run).to render_file(conf.name).with_content(/^Match User mirror\n.*PasswordAuthentication no\n.*KbdInteractiveAuthentication no$/m)
        expect(tests_of(conf)).to eq(['/usr/sbin/sshd -t -f %{path}'])
        expect(conf).to notify("service[#{ssh}]").to(:reload).immediately
      end

      it 'puts its host key where the CI server reads it' do
        expect(chef_run).to create_file('/etc/gm_keys/mirror_server.hostkey').with(content: "mirror.icesi.edu.co,192.168.131.103 #{PUBLIC_KEY}\n")
      end

      it 'knows the upstream repositories' do
        expect(chef_run).to create_mirror_server_upstream('baseos')
        expect(chef_run).to create_mirror_server_upstream('appstream')
        expect(chef_run).to create_directory('/etc/gm-mirror/yum.repos.d')
        expect(chef_run).to create_template('/etc/gm-mirror/yum.repos.d/appstream.repo')
        expect(chef_run).to render_file('/etc/gm-mirror/yum.repos.d/baseos.repo').with_content(<<~REPO)
          [baseos]
          name=AlmaLinux $releasever - BaseOS
          mirrorlist=https://mirrors.almalinux.org/mirrorlist/$releasever/baseos
          enabled=1
          gpgcheck=1
          gpgkey=https://repo.almalinux.org/almalinux/RPM-GPG-KEY-AlmaLinux-$releasever
          skip_if_unavailable=0
        REPO
      end

      it 'makes the first publication, an empty one' do
        expect(chef_run).to create_mirror_server_publication('/var/repo')
        expect(chef_run).to create_directory('/var/repo/.publications').with(owner: 'mirror')
        expect(chef_run).to create_directory('/var/repo/.publications/000001').with(owner: 'mirror')
        expect(chef_run).to create_file('/var/repo/.publications/000001/packages.txt').with(content: '', owner: 'mirror')
        expect(chef_run).to run_execute('make empty metadata').with(user: 'mirror')
        expect(chef_run).to create_link('/var/repo/repodata').with(to: '.publications/000001/repodata')
      end

      it 'serves it with a configuration that was tested' do
        expect(chef_run).to create_mirror_server_web('mirror.icesi.edu.co')
        conf = chef_run.template('/etc/nginx/nginx.conf')
        expect(tests_of(conf)).to eq(['/usr/sbin/nginx -t -q -c %{path}'])
        expect(conf).to notify('service[nginx]').to(:reload)
        expect(chef_run).to render_file(conf.name).with_content(/^user #{debian?(platform) ? 'www-data' : 'nginx'};$/)
        expect(chef_run).to enable_service('nginx')
        expect(chef_run).to start_service('nginx')
        expect(chef_run).to run_execute('open HTTP in firewalld')
      end

      it 'lets the account run nothing as root, and takes back what it could' do
        expect(chef_run).to delete_mirror_server_helper('mirror')
        %w(/etc/sudoers.d/gm-mirror /usr/local/sbin/gm-mirror-helper /etc/gm-mirror/helper.conf).each { |path| expect(chef_run).to delete_file(path) }
      end

      it 'lets it run the helper alone where that was asked for' do
        on = run(platform, helper: true)
        expect(on).to create_mirror_server_helper('mirror')
        expect(on).to install_package('sudo')
        expect(on).to create_directory('/etc/gm-mirror').with(mode: '0755')
        expect(on).to create_cookbook_file('/usr/local/sbin/gm-mirror-helper').with(owner: 'root', group: 'root', mode: '0755')
        expect(on).to create_template('/etc/gm-mirror/helper.conf').with(owner: 'root', mode: '0644')
        expect(on).to render_file('/etc/gm-mirror/helper.conf').with_content(<<~CONF)
          root=/var/repo
          account=mirror
          reposdir=/etc/gm-mirror/yum.repos.d
          releasever=9
          weak_dependencies=0
          max_age=600
        CONF
        expect(on).to create_sudo('gm-mirror').with(users: ['mirror'], runas: 'root', nopasswd: true, commands: ['/usr/local/sbin/gm-mirror-helper /var/repo *'])
      end

      it 'stops at a wrong attribute' do
        expect { run(platform, ci_from: ['everywhere']) }.to raise_error(mirror::Invalid, /mirror_server.ci_from: found "everywhere"/)
      end

      it 'keeps the SELinux context where SELinux is on, and leaves it where it is not' do
        expect(chef_run).not_to install_package('policycoreutils-python-utils')
        allow(mirror).to receive(:selinux?).and_return(true)
        on = run(platform)
        expect(on).to install_package('policycoreutils-python-utils')
        expect(on).to manage_selinux_fcontext('/var/repo(/.*)?').with(secontext: 'httpd_sys_content_t')
      end
    end
  end

  it 'stops on any other platform' do
    expect { run('EL 7') }.to raise_error(mirror::Invalid, /mirror_server: found rhel 7\.8.*; expected one of EL 8/)
  end

  it "keeps what sshd's one file says on EL 8, and stands after it once" do
    mine = rendered(run('EL 9'), '/etc/ssh/sshd_config.d/10-gm-mirror.conf')
    once = rendered(run('EL 8'), '/etc/ssh/sshd_config')
    expect(once).to eq("UsePAM yes\n#{mine}")
    allow(File).to receive(:read).with('/etc/ssh/sshd_config').and_return(once)
    expect(rendered(run('EL 8'), '/etc/ssh/sshd_config')).to eq(once)
    allow(File).to receive(:read).with('/etc/ssh/sshd_config').and_return("#{once}Match User other")
    expect(rendered(run('EL 8'), '/etc/ssh/sshd_config')).to eq("UsePAM yes\nMatch User other\n#{mine}")
  end

  it 'leaves a mirror that has metadata alone' do
    allow(File).to receive(:symlink?).with('/var/repo/repodata').and_return(true)
    chef_run = run('Debian 12')
    expect(chef_run).not_to create_link('/var/repo/repodata')
    expect(chef_run).not_to run_execute('make empty metadata')
  end

  it 'leaves firewalld alone where it does not run' do
    stub_command('command -v firewall-cmd >/dev/null && firewall-cmd --quiet --state').and_return(false)
    expect(run('EL 9')).not_to run_execute('open HTTP in firewalld')
  end

  it 'keeps a key that is given' do
    chef_run = run('EL 10', repositories: [{ 'id' => 'own', 'baseurl' => 'http://x/', 'gpgkey_content' => "KEY\n" }])
    expect(chef_run).to create_directory('/etc/gm-mirror/keys')
    expect(chef_run).to create_file('/etc/gm-mirror/keys/own').with(content: "KEY\n")
    expect(chef_run).to render_file('/etc/gm-mirror/yum.repos.d/own.repo').with_content('gpgkey=file:///etc/gm-mirror/keys/own')
  end

  it 'says in each file that it is generated' do
    chef_run = run('EL 9')
    chef_run.find_resources(:template).each { |file| expect(rendered(chef_run, file.name)).to include('# Generated by Chef (cookbook mirror_server); changes are overwritten.') }
  end

  describe 'the command that prints the key' do
    def printed(text)
      Dir.mktmpdir do |keys|
        File.write("#{keys}/ci_server.pub", text) if text
        script = rendered(run('Debian 12', keys_dir: keys, ci_from: %w(192.168.131.0/24 10.0.0.7)), '/usr/libexec/gm-mirror-authorized-keys')
        Open3.capture2('sh', stdin_data: script).first
      end
    end

    it 'restricts it and says where it may come from' do
      expect(printed("#{PUBLIC_KEY} ci_server\n")).to eq(%(restrict,from="192.168.131.0/24,10.0.0.7" #{PUBLIC_KEY} ci_server\n))
    end

    it "takes it from the CI server's address alone where nothing else is said" do
      script = rendered(run('Debian 12'), '/usr/libexec/gm-mirror-authorized-keys')
      expect(script).to include('restrict,from="192.168.131.104" ')
    end

    it 'prints nothing else' do
      [nil, '', "command=\"sh\" #{PUBLIC_KEY}\n", "ssh-rsa #{'A' * 68}\n", "ssh-ed25519 AAAA\n", "#{PUBLIC_KEY} a \"b\"\n", "\n#{PUBLIC_KEY}\n"].each { |text| expect(printed(text)).to eq('') }
      expect(printed("#{PUBLIC_KEY} a\n#{PUBLIC_KEY} b\n").lines.length).to eq(1)
    end
  end

  it "hides, follows and lets be kept what the lab's own nginx.conf does" do
    conf = rendered(run('EL 9'), '/etc/nginx/nginx.conf')
    own = File.read("#{CHECKOUT}/lab/data/mirror.nginx.conf").gsub('@prefix@', '/repo/').gsub('@root@', '/var/repo')
    ['map $uri', 'location ~ /\\.', 'location ~ "^/repo/(?<named>', 'location ~ "^/repo/((publication|preview)s/', 'location ~ "^/repo/(?<file>'].each do |head|
      one, other = [conf, own].map { |text| text[/^ *#{Regexp.escape(head)}.*?^ *\}$/m].to_s.squeeze(' ').gsub(/^ /, '') }
      expect(one).to start_with(head)
      expect(one).to eq(other)
    end
  end
end
