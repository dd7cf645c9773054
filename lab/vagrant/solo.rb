# Chef keeps the attributes that it was told in a file of the node, for the next run. Here it keeps
# none: what was taken out of site.yaml is gone then, and no secret lies in that file.
allowed_normal_attributes []

# Vagrant leaves what Chef is told, secrets among it, in a file of the user vagrant. Chef has read
# it when its run starts; a provisioner after this one would not run when Chef fails.
Chef::Client.when_run_starts { ::FileUtils.rm_f('/tmp/vagrant-chef/dna.json') }
