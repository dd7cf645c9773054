# The repository file of the mirror.
unified_mode true
provides :mirror_client_repository

property :id, String,
         name_property: true,
         description: "The repository's id, and the name of its file."
property :baseurl, String,
         required: true,
         description: 'Where it is served.'
property :mirrorlist, [true, false],
         default: false,
         description: 'Whether a publication names its own address, so that a refresh is of one.'
property :metadata_expire, Integer,
         default: 1,
         description: 'Seconds after which metadata are asked for again.'
property :gpgcheck, [true, false],
         default: false,
         description: 'Whether the signature of packages is checked.'
property :repo_gpgcheck, [true, false],
         default: false,
         description: 'Whether the signature of metadata is checked.'
property :gpgkey, [String, nil],
         description: 'Addresses of keys, with blanks between them.'
property :sslcacert, [String, nil],
         description: "Path of the certificates of who signed the web server's."
property :username, [String, nil],
         description: 'Who reads there, where the web server asks; then only root reads the file.'
property :password, [String, nil],
         sensitive: true,
         description: 'The password of who reads there.'

default_action :create

action :create do
  # Debian's dnf comes without it.
  directory '/etc/yum.repos.d' do
    mode '0755'
  end

  template "/etc/yum.repos.d/#{new_resource.id}.repo" do
    source 'mirror.repo.erb'
    cookbook 'mirror_client'
    mode new_resource.username ? '0600' : '0644'
    sensitive true if new_resource.username
    variables repository: new_resource
  end
end
