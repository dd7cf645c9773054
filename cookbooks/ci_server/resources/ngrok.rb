# ngrok 3, by which GitHub reaches the service. Only with an authtoken; :disable takes it back.
unified_mode true
provides :ci_server_ngrok

property :authtoken, [String, nil],
         sensitive: true,
         description: "The account's authtoken."
property :domain, [String, nil],
         description: 'A reserved domain; nil for one that changes at each start.'
property :archive_url, [String, nil],
         description: "Address of a .tgz; nil for ngrok's package repository."
property :archive_checksum, [String, nil],
         description: 'SHA-256 of the archive.'
property :port, Integer,
         default: 8080,
         description: 'The port on loopback that it leads to.'

property :register, [true, false],
         default: false,
         description: 'Whether GitHub is told each address, by the service itself.'
property :home, String,
         required: true,
         description: 'Where the service is installed.'
property :account, String,
         default: 'gm_analytics',
         description: "The worker's account, and the group of both."

default_action :enable

action :enable do
  if new_resource.archive_url
    from_archive
  else
    from_repository
  end

  group 'ngrok' do
    system true
  end

  user 'ngrok' do
    gid 'ngrok'
    home '/nonexistent'
    manage_home false
    shell '/usr/sbin/nologin'
    system true
  end

  template '/etc/ngrok.yml' do
    source 'ngrok.yml.erb'
    cookbook 'ci_server'
    group 'ngrok'
    mode '0640'
    sensitive true
    variables yaml: GmAnalytics::Ci.yaml(GmAnalytics::Ci.ngrok_config(new_resource.authtoken, new_resource.port, new_resource.domain))
    verify "#{binary} config check --config %{path}"
    notifies :restart, 'systemd_unit[ngrok.service]'
  end

  systemd_unit 'ngrok.service' do
    content GmAnalytics::Ci.ngrok_unit(binary)
    action [:create, :enable, :start]
    notifies :restart, 'systemd_unit[ngrok.service]'
  end

  if new_resource.register
    systemd_unit 'gm-analytics-tunnel.service' do
      content GmAnalytics::Ci.tunnel_unit("#{new_resource.home}/venv/bin/gm-analytics", new_resource.account, new_resource.port)
      action [:create, :enable, :start]
      notifies :restart, 'systemd_unit[gm-analytics-tunnel.service]'
    end
  else
    forget_registration
  end
end

action :restart do
  if new_resource.register
    systemd_unit 'gm-analytics-tunnel.service' do
      action :restart
    end
  end
end

action :disable do
  forget_registration

  systemd_unit 'ngrok.service' do
    action [:stop, :disable, :delete]
  end

  file '/etc/ngrok.yml' do
    action :delete
  end
end

action_class do
  def forget_registration
    systemd_unit 'gm-analytics-tunnel.service' do
      action [:stop, :disable, :delete]
    end
  end

  def binary
    new_resource.archive_url ? '/opt/ngrok/ngrok' : '/usr/local/bin/ngrok'
  end

  def from_archive
    archive = "#{Chef::Config[:file_cache_path]}/ngrok.tgz"

    remote_file archive do
      source new_resource.archive_url
      checksum new_resource.archive_checksum
      mode '0644'
      notifies :extract, 'archive_file[ngrok]', :immediately
    end

    archive_file 'ngrok' do
      path archive
      destination '/opt/ngrok'
      mode '755'
      overwrite true
      action ::File.exist?(binary) ? :nothing : :extract
    end
  end

  # https://ngrok.com/download/linux
  def from_repository
    # apt_repository calls gpg, which a small Debian lacks.
    package 'gnupg'

    apt_repository 'ngrok' do
      uri 'https://ngrok-agent.s3.amazonaws.com'
      distribution 'bookworm'
      components ['main']
      key ['https://ngrok-agent.s3.amazonaws.com/ngrok.asc']
    end

    package 'ngrok'
  end
end
