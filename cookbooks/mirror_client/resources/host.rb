# A line of /etc/hosts; the other lines stay as they are.
unified_mode true
provides :mirror_client_host

property :host_name, String,
         name_property: true,
         description: 'The name.'
property :address, [String, nil],
         description: 'Its address.'

default_action :create

action :create do
  # Written in place: in a container the file may be a mount, which cannot be renamed over.
  file '/etc/hosts' do
    content lazy { GmAnalytics::Client.hosts(::File.exist?('/etc/hosts') ? ::File.read('/etc/hosts') : '', new_resource.address, [new_resource.host_name]) }
    mode '0644'
    atomic_update false
  end
end
