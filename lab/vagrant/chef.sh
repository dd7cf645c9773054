#!/bin/sh
# Find Chef or Cinc in the machine, else install Cinc; leave it where Vagrant is told to look.
#
#   chef.sh VERSION
set -eu
PATH=$PATH:/opt/cinc/bin:/opt/chef/bin:/usr/local/bin
bin=/opt/gm_lab/bin

find_solo() { command -v cinc-solo || command -v chef-solo; }

if ! solo=$(find_solo); then
    echo "installing Cinc $1"
    command -v curl >/dev/null || { apt-get -qq update && apt-get -qq install -y curl; }
    curl -fsSL https://omnitruck.cinc.sh/install.sh > /tmp/cinc-install.sh
    bash /tmp/cinc-install.sh -v "$1"
    rm /tmp/cinc-install.sh
    solo=$(find_solo)
fi
mkdir -p "$bin"
ln -sfn "$solo" "$bin/chef-solo"
"$bin/chef-solo" --version
