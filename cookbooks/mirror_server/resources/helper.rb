# What the account may run as root, where user namespaces are forbidden: one script with fixed
# subcommands, its configuration, one line of sudoers. :delete takes all of it back.
unified_mode true
provides :mirror_server_helper

property :account, String,
         name_property: true,
         description: 'The account that may run it.'
property :root, String,
         required: true,
         description: 'The mirror: the first argument that is allowed.'
property :conf, Hash,
         required: true,
         description: "The script's configuration."

default_action :create

action :create do
  package 'sudo'

  directory '/etc/gm-mirror' do
    mode '0755'
  end

  template '/etc/gm-mirror/helper.conf' do
    source 'helper.conf.erb'
    cookbook 'mirror_server'
    owner 'root'
    group 'root'
    mode '0644'
    variables conf: new_resource.conf
  end

  cookbook_file GmAnalytics::Mirror::HELPER do
    source 'gm-mirror-helper'
    cookbook 'mirror_server'
    owner 'root'
    group 'root'
    mode '0755'
  end

  # Written only when visudo takes it. The script checks the words that stand for the star.
  sudo 'gm-mirror' do
    users [new_resource.account]
    runas 'root'
    nopasswd true
    commands ["#{GmAnalytics::Mirror::HELPER} #{new_resource.root} *"]
    defaults ['!requiretty']
  end
end

action :delete do
  # The permission first. Not the resource sudo, which wants sudo to be installed.
  ['/etc/sudoers.d/gm-mirror', GmAnalytics::Mirror::HELPER, '/etc/gm-mirror/helper.conf'].each do |path|
    file path do
      action :delete
    end
  end
end
