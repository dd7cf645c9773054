default['mirror_server']['name'] = 'mirror.icesi.edu.co'
default['mirror_server']['address'] = '192.168.131.103'
# The account owns `root` and nothing else; `root` is served at http://NAME/repo/.
default['mirror_server']['account'] = 'mirror'
default['mirror_server']['root'] = '/var/repo'
# Where each machine puts its public halves: ci_server.pub, mirror_server.hostkey.
default['mirror_server']['keys_dir'] = '/etc/gm_keys'
# Where the CI server's key is accepted from: its address, not its network.
default['mirror_server']['ci_from'] = ['192.168.131.104']
# true: the account may run files/gm-mirror-helper as root through sudo, for hosts that forbid
# user namespaces. Then give ci_server.mirror.helper the script's path. The options are those of
# helper.conf that no other attribute has: arch, module_platform_id, weak_dependencies, max_age,
# signatures; give them the values that the CI server's configuration has.
default['mirror_server']['helper'] = false
default['mirror_server']['helper_options'] = { 'weak_dependencies' => 0, 'max_age' => 600 }
# Where the packages come from. Each has id, name, gpgcheck, gpgkey (an address), and baseurl or
# mirrorlist; gpgkey_content (the key itself) may stand for gpgkey.
default['mirror_server']['upstream_dir'] = '/etc/gm-mirror/yum.repos.d'
default['mirror_server']['releasever'] = '9'
default['mirror_server']['repositories'] = %w(BaseOS AppStream).map do |name|
  {
    'id' => name.downcase,
    'name' => "AlmaLinux $releasever - #{name}",
    'mirrorlist' => "https://mirrors.almalinux.org/mirrorlist/$releasever/#{name.downcase}",
    'gpgcheck' => true,
    'gpgkey' => 'https://repo.almalinux.org/almalinux/RPM-GPG-KEY-AlmaLinux-$releasever',
  }
end
