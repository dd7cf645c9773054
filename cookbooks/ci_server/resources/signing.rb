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

  # Of the account before the service's first start, since gpg writes in it.
  directory ::File.dirname(GmAnalytics::Ci::SIGNING) do
    owner new_resource.account
    group new_resource.account
    mode '0700'
  end

  execute 'make the signing key' do
    command ["#{new_resource.home}/venv/bin/gm-analytics", 'key', '--config', "#{GmAnalytics::Ci::ETC}/config.yaml"]
    user new_resource.account
    group new_resource.account
    creates "#{GmAnalytics::Ci::SIGNING}/RPM-GPG-KEY-gm-mirror"
  end
end
