# What web and worker share: a directory of their group, in which SQLite's files are too.
unified_mode true
provides :ci_server_store

property :account, String,
         name_property: true,
         description: "The worker's account, and the group of both."
property :database_url, String,
         required: true,
         sensitive: true,
         description: 'Where the store is.'

default_action :create

action :create do
  directory GmAnalytics::Ci::STORE do
    owner new_resource.account
    group new_resource.account
    # Set-group-ID: the service makes its files for the group then.
    mode '2770'
  end

  # Those of a release that had one account. SQLite removes -wal and -shm when nobody has it open.
  GmAnalytics::Ci.store_files(new_resource.database_url).each do |path|
    file path do
      group new_resource.account
      mode '0660'
      only_if { ::File.file?(path) }
    end
  end
end
