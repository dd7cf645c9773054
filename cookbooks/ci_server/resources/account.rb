# The account that the service runs as: nobody logs in to it.
unified_mode true
provides :ci_server_account

property :account, String,
         name_property: true,
         description: 'Name of the account and of its group.'

default_action :create

action :create do
  group new_resource.account do
    system true
  end

  user new_resource.account do
    comment 'gm_analytics service'
    gid new_resource.account
    home '/var/lib/gm_analytics'
    manage_home false
    shell '/usr/sbin/nologin'
    system true
  end

  directory GmAnalytics::Ci::ETC do
    group new_resource.account
    mode '0750'
  end
end
