# Makes the mirror the only repository, by the place where dnf looks: no other file is changed,
# so that :disable gives everything back.
unified_mode true
provides :mirror_client_exclusive

property :id, String,
         name_property: true,
         description: "The repository's id."
property :conf, String,
         default: '/etc/dnf/dnf.conf',
         description: "dnf's configuration."

default_action :enable

action :enable do
  directory GmAnalytics::Client::EXCLUSIVE_DIR do
    mode '0755'
    recursive true
  end

  link "#{GmAnalytics::Client::EXCLUSIVE_DIR}/#{new_resource.id}.repo" do
    to "/etc/yum.repos.d/#{new_resource.id}.repo"
  end

  file new_resource.conf do
    content lazy { GmAnalytics::Client.exclusive(conf_text, GmAnalytics::Client::EXCLUSIVE_DIR) }
    mode '0644'
  end
end

action :disable do
  file new_resource.conf do
    content lazy { GmAnalytics::Client.inclusive(conf_text) }
    mode '0644'
    only_if { ::File.exist?(new_resource.conf) }
  end
end

action_class do
  def conf_text
    ::File.exist?(new_resource.conf) ? ::File.read(new_resource.conf) : ''
  end
end
