# One repository that packages come from: its file and, when its key is given, the key.
unified_mode true
provides :mirror_server_upstream

property :id, String,
         name_property: true,
         description: "The repository's id, and the name of its file."
property :repository, Hash,
         required: true,
         description: 'name, baseurl or mirrorlist, gpgcheck, gpgkey or gpgkey_content.'
property :directory, String,
         required: true,
         description: 'Where the file goes; apart from the repositories of the host itself.'

default_action :create

action :create do
  keys = "#{::File.dirname(new_resource.directory)}/keys"

  directory new_resource.directory do
    mode '0755'
    recursive true
  end

  if new_resource.repository['gpgkey_content']
    directory keys do
      mode '0755'
    end

    file "#{keys}/#{new_resource.id}" do
      content new_resource.repository['gpgkey_content']
      mode '0644'
    end
  end

  template "#{new_resource.directory}/#{new_resource.id}.repo" do
    source 'upstream.repo.erb'
    cookbook 'mirror_server'
    mode '0644'
    variables id: new_resource.id,
              lines: GmAnalytics::Mirror.repository_lines(new_resource.repository, keys)
  end
end
