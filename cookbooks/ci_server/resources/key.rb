# The key with which the service logs in to the mirror: made here, never leaves. Its public half
# is put where the mirror reads it at each login; the mirror's host key is read where it puts it.
unified_mode true
provides :ci_server_key

property :account, String,
         name_property: true,
         description: "The key's owner."
property :keys_dir, String,
         required: true,
         description: 'The directory with ci_server.pub and mirror_server.hostkey.'

default_action :create

action :create do
  key = "#{GmAnalytics::Ci::ETC}/id_ed25519"

  execute 'make the SSH key' do
    command ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'ci_server', '-f', key]
    creates key
  end

  file key do
    owner new_resource.account
    group new_resource.account
    mode '0600'
    sensitive true
  end

  directory new_resource.keys_dir do
    mode '0755'
  end

  file "#{new_resource.keys_dir}/ci_server.pub" do
    content lazy { ::File.read("#{key}.pub") }
    mode '0644'
  end

  # Dangles until the mirror has put its host key there.
  link "#{GmAnalytics::Ci::ETC}/known_hosts" do
    to "#{new_resource.keys_dir}/mirror_server.hostkey"
  end
end
