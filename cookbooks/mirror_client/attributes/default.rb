default['mirror_client']['name'] = 'mirror.icesi.edu.co'
# nil: the name is left to DNS.
default['mirror_client']['address'] = '192.168.131.103'
default['mirror_client']['repository'] = 'gm-mirror'
# nil: http://NAME/repo/
default['mirror_client']['baseurl'] = nil
# Seconds. 1: each command asks for repomd.xml, so that a package can be installed in the moment
# in which it is published; with 60, `yum install` right after a pull request found no match.
default['mirror_client']['metadata_expire'] = 1
# true: mirrorlist= in place of baseurl=, as `gm-analytics client` prints it; then all files of one
# refresh come from one publication.
default['mirror_client']['mirrorlist'] = false
# RPMs keep their upstream's signature. nil: it is checked if gpgkey names a key of upstream's.
default['mirror_client']['gpgcheck'] = nil
# Metadata are signed where ci_server.sign is true; its key is at http://NAME/repo/RPM-GPG-KEY-gm-mirror.
default['mirror_client']['repo_gpgcheck'] = false
# One address, or several with blanks between them, as `gm-analytics client` prints them: upstream's
# keys are below http://NAME/repo/keys/.
default['mirror_client']['gpgkey'] = nil
# The certificates of who signed the mirror's, a path on the client; nil: the usual authorities.
default['mirror_client']['sslcacert'] = nil
# Where the mirror asks who reads there. Then only root may read the file. Keep the password in an
# encrypted data bag or a vault.
default['mirror_client']['username'] = nil
default['mirror_client']['password'] = nil
# true: this repository and no other. false undoes it; no other repository's file is touched.
default['mirror_client']['exclusive'] = false
# How often metadata are refreshed, as systemd.time(7) writes it.
default['mirror_client']['refresh'] = '5min'
