# The first publication of a new mirror, an empty one. A mirror that has metadata is left alone.
unified_mode true
provides :mirror_server_publication

property :root, String,
         name_property: true,
         description: 'The mirror.'
property :account, String,
         required: true,
         description: 'Its owner.'

default_action :create

action :create do
  live = "#{new_resource.root}/repodata"
  next if ::File.symlink?(live) || ::File.exist?(live)

  first = '.publications/000001'
  %W(#{new_resource.root}/.publications #{new_resource.root}/#{first}).each do |path|
    directory path do
      owner new_resource.account
      group new_resource.account
      mode '0755'
    end
  end

  # The service reads it, and createrepo_c refuses /dev/null as --pkglist.
  file "#{new_resource.root}/#{first}/packages.txt" do
    content ''
    owner new_resource.account
    group new_resource.account
    mode '0644'
  end

  # gzip: clients older than EL 8.4 cannot read zstd, createrepo_c's default since 1.0.
  execute 'make empty metadata' do
    command %W(createrepo_c --quiet --no-database --general-compress-type=gz --pkglist #{new_resource.root}/#{first}/packages.txt
               --outputdir #{new_resource.root}/#{first} #{new_resource.root})
    user new_resource.account
    creates "#{new_resource.root}/#{first}/repodata/repomd.xml"
  end

  link live do
    to "#{first}/repodata"
    owner new_resource.account
    group new_resource.account
  end
end
