default['mirror_client']['name'] = 'mirror.icesi.edu.co'
# nil: the name is left to DNS.
default['mirror_client']['address'] = '192.168.131.103'
default['mirror_client']['repository'] = 'gm-mirror'
# nil: http://NAME/repo/
default['mirror_client']['baseurl'] = nil
# Seconds. 1: each command asks for repomd.xml, so that a package can be installed in the moment
# in which it is published; with 60, `yum install` right after a pull request found no match.
default['mirror_client']['metadata_expire'] = 1
# RPMs keep their upstream's signature: give its key to have it checked.
default['mirror_client']['gpgcheck'] = false
# Metadata are signed where ci_server.sign is true; its key is at http://NAME/repo/RPM-GPG-KEY-gm-mirror.
default['mirror_client']['repo_gpgcheck'] = false
# One address, or several with blanks between them.
default['mirror_client']['gpgkey'] = nil
# true: this repository and no other. false undoes it; no other repository's file is touched.
default['mirror_client']['exclusive'] = false
# How often metadata are refreshed, as systemd.time(7) writes it.
default['mirror_client']['refresh'] = '5min'
