# The web server, which serves the mirror and nothing else.
unified_mode true
provides :mirror_server_web

property :server_name, String,
         name_property: true,
         description: 'The name that clients use.'
property :root, String,
         required: true,
         description: 'The mirror, served at /repo/.'
property :user, String,
         required: true,
         description: 'The account that nginx runs as.'

default_action :create

action :create do
  template '/etc/nginx/nginx.conf' do
    source 'nginx.conf.erb'
    cookbook 'mirror_server'
    mode '0644'
    variables server_name: new_resource.server_name, root: new_resource.root, user: new_resource.user
    verify '/usr/sbin/nginx -t -q -c %{path}'
    notifies :reload, 'service[nginx]'
  end

  service 'nginx' do
    action [:enable, :start]
  end

  package 'policycoreutils-python-utils' do
    only_if { GmAnalytics::Mirror.selinux? }
  end

  # Relabels too, whenever the rule is new or changed; what is made later inherits the type.
  selinux_fcontext "#{new_resource.root}(/.*)?" do
    secontext 'httpd_sys_content_t'
    only_if { GmAnalytics::Mirror.selinux? }
  end

  # Chef has no resource for firewalld.
  execute 'open HTTP in firewalld' do
    command 'firewall-cmd --permanent --add-service=http && firewall-cmd --add-service=http'
    # Through a shell: the guard of a program that is not there ends Chef itself on Linux.
    only_if 'command -v firewall-cmd >/dev/null && firewall-cmd --quiet --state'
    not_if 'firewall-cmd --quiet --permanent --query-service=http'
  end
end
