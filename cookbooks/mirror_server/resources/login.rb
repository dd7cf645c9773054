# How the CI server gets in: its public key, read at each login from where it was put, and this
# host's public key, put where the CI server reads it. Nothing has to be there in any order.
unified_mode true
provides :mirror_server_login

property :account, String,
         name_property: true,
         description: 'The account that is logged in to.'
property :keys_dir, String,
         required: true,
         description: 'The directory with ci_server.pub and mirror_server.hostkey.'
property :from, Array,
         required: true,
         description: 'Addresses and networks from which the key is accepted.'
property :names, Array,
         required: true,
         description: "This host's names and addresses, as the CI server connects to them."
property :ssh_service, String,
         required: true,
         description: "sshd's service."
property :sshd_conf, String,
         required: true,
         description: 'The file that says how the account logs in.'

default_action :create

action :create do
  directory new_resource.keys_dir do
    mode '0755'
  end

  # Runs as nobody for each login: it can only read the public key, and only an ed25519 one.
  template '/usr/libexec/gm-mirror-authorized-keys' do
    source 'authorized-keys.erb'
    cookbook 'mirror_server'
    mode '0755'
    variables path: "#{new_resource.keys_dir}/ci_server.pub", from: new_resource.from
  end

  execute 'make the SSH host keys' do
    command %w(ssh-keygen -A)
    creates GmAnalytics::Mirror::HOST_KEY
  end

  # Before the test, which needs the directory that the service makes.
  service new_resource.ssh_service do
    action [:enable, :start]
  end

  template new_resource.sshd_conf do
    source 'sshd.conf.erb'
    cookbook 'mirror_server'
    mode '0600'
    variables lazy { { account: new_resource.account, before: GmAnalytics::Mirror.foreign_sshd_lines(new_resource.sshd_conf) } }
    verify '/usr/sbin/sshd -t -f %{path}'
    notifies :reload, "service[#{new_resource.ssh_service}]", :immediately
  end

  file "#{new_resource.keys_dir}/mirror_server.hostkey" do
    content lazy { GmAnalytics::Mirror.known_hosts_line(new_resource.names, ::File.read("#{GmAnalytics::Mirror::HOST_KEY}.pub")) }
    mode '0644'
  end
end
