# The account that the CI server logs in to, and the one directory that it owns.
unified_mode true
provides :mirror_server_account

property :account, String,
         name_property: true,
         description: 'Name of the account and of its group.'
property :root, String,
         required: true,
         description: 'The mirror; also the home, so that the account owns nothing else.'

default_action :create

action :create do
  group new_resource.account do
    system true
  end

  # `*` is no password, yet not a lock: sshd refuses keys of locked accounts without PAM.
  user new_resource.account do
    comment 'gm_analytics mirror'
    gid new_resource.account
    home new_resource.root
    manage_home false
    shell '/bin/sh'
    password '*'
    system true
  end

  directory new_resource.root do
    owner new_resource.account
    group new_resource.account
    mode '0755'
  end
end
