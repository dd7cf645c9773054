# The key that signs the mirror's metadata: made here, never leaves. The service puts the public
# half on the mirror, where clients find it.
unified_mode true
provides :ci_server_signing

property :account, String,
         name_property: true,
         description: "The key's owner."
property :home, String,
         required: true,
         description: 'Where the service is installed: it makes the key.'

default_action :create

action :create do
  package GmAnalytics::Ci.gnupg(node['platform_family'])

  # Out of what the web can write to now. The worker signs again when it was restarted.
  execute 'move the signing key' do
    command ['mv', '--no-target-directory', GmAnalytics::Ci::OLD_SIGNING, GmAnalytics::Ci::SIGNING]
    only_if { ::File.directory?(GmAnalytics::Ci::OLD_SIGNING) && !::File.exist?(GmAnalytics::Ci::SIGNING) }
  end

  execute 'make the signing key' do
    command ["#{new_resource.home}/venv/bin/gm-analytics", 'key', '--config', "#{GmAnalytics::Ci::ETC}/config.yaml"]
    user new_resource.account
    group new_resource.account
    creates "#{GmAnalytics::Ci::SIGNING}/RPM-GPG-KEY-gm-mirror"
  end
end
