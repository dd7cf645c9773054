# The accounts of web and worker: nobody logs in to them. They share a group, and by it the
# configuration and the store.
unified_mode true
provides :ci_server_account

property :account, String,
         name_property: true,
         description: "The worker's account, and the group of both."

default_action :create

action :create do
  group new_resource.account do
    system true
  end

  user new_resource.account do
    comment 'gm_analytics worker'
    gid new_resource.account
    # Not changed: usermod refuses it while a release before this one runs.
    home GmAnalytics::Ci::STORE
    manage_home false
    shell '/usr/sbin/nologin'
    system true
  end

  user GmAnalytics::Ci::WEB do
    comment 'gm_analytics web'
    gid new_resource.account
    home '/nonexistent'
    manage_home false
    shell '/usr/sbin/nologin'
    system true
  end

  directory GmAnalytics::Ci::ETC do
    group new_resource.account
    mode '0750'
  end

  directory GmAnalytics::Ci::WORK do
    owner new_resource.account
    group new_resource.account
    mode '0700'
  end
end
