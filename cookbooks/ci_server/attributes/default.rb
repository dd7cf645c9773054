# The checkout that the service is installed from: Vagrant's synced folder.
default['ci_server']['source'] = '/vagrant'
# A directory of wheels, for a host without network; nil: PyPI.
default['ci_server']['wheels'] = nil
default['ci_server']['home'] = '/opt/gm_analytics'
default['ci_server']['keys_dir'] = '/etc/gm_keys'

# Secrets. nil: the file of that name in /etc/gm_analytics is used when it is there.
default['ci_server']['webhook_secret'] = nil
default['ci_server']['github_token'] = nil
# Certificates, as PEM, of who signed an Enterprise Server's; nil: the usual authorities.
default['ci_server']['github_ca'] = nil

# The service's configuration: docs/operations.md says what each key means.
default['ci_server']['repositories'] = []
# Whose pull requests count; nil: all that come from a branch of the repository itself.
default['ci_server']['trusted_associations'] = nil
default['ci_server']['trusted_authors'] = nil
default['ci_server']['publish'] = 'on_pull_request'
default['ci_server']['public_url'] = nil
# One of PostgreSQL is put into a file of its own, since it may hold a password.
default['ci_server']['database_url'] = 'sqlite:////var/lib/gm_analytics/updates.sqlite'
# Which service publishes on the mirror. The host's name outlives its disk, as the id that a
# database makes for itself does not: a CI server that is built again is the same service.
default['ci_server']['service_id'] = node['hostname']
# The proxy by which GitHub is asked, http://HOST:PORT, or none; nil: the environment's, which a unit lacks.
default['ci_server']['github_proxy'] = nil
# poll: GitHub is only looked at, and no port need be open.
default['ci_server']['intake'] = 'webhook'
# Between two looks at GitHub; 0 for none, nil for the service's own default.
default['ci_server']['reconcile_seconds'] = nil
default['ci_server']['port'] = 8080
default['ci_server']['mirror'] = {
  'name' => 'mirror.icesi.edu.co',
  'address' => '192.168.131.103',
  'port' => 22,
  'user' => 'mirror',
  'root' => '/var/repo',
  'reposdir' => '/etc/gm-mirror/yum.repos.d',
  'releasever' => '9',
  'module_platform_id' => 'platform:el9',
}
# More of the mirror, all nil: its bastion ('jump' => { 'host' => …, 'port', 'user', 'identity_file', 'known_hosts' }),
# the 'proxy' by which its 'url' is read, and 'ca', certificates as PEM of who signed that of its web server;
# 'url' itself, if it is not http://NAME/repo/; 'signing' => 'off', to publish unsigned what was signed.
# true: a key is made in /var/lib/gm_analytics_worker/signing, and what the mirror serves is signed by it.
# Clients may then have repo_gpgcheck, and gpgkey http://NAME/repo/RPM-GPG-KEY-gm-mirror.
default['ci_server']['sign'] = false
# Any other key of the configuration, merged over the above.
default['ci_server']['extra_config'] = {}

# ngrok, only with an authtoken. nil archive_url: ngrok's package repository (Debian); EL has
# none, so that it needs the address and the SHA-256 of a .tgz.
default['ci_server']['ngrok']['authtoken'] = nil
default['ci_server']['ngrok']['domain'] = nil
# Tell GitHub each address that ngrok gets: the repositories' webhooks are made and repaired. It takes
# ci_server.github_token, with the right to change webhooks (docs/github.md).
default['ci_server']['ngrok']['register'] = true
default['ci_server']['ngrok']['archive_url'] = nil
default['ci_server']['ngrok']['archive_checksum'] = nil
