#!/bin/sh
# Leave a chef-solo in DIRECTORY: the one that is there, one from the path, else Cinc's.
#   cinc.sh VERSION DIRECTORY
set -eu
version=$1 directory=$2

if command -v apt-get >/dev/null && [ ! -e /var/lib/gm-lab-apt ]; then
    # A box's package lists are as old as the box. Without network those of the box will do.
    apt-get update -qq && touch /var/lib/gm-lab-apt || echo 'package lists: kept as they are' >&2
fi
[ -x "$directory/chef-solo" ] && exit 0
if found=$(command -v chef-solo); then
    mkdir -p "$directory"
    ln -sfn "$found" "$directory/chef-solo"
    exit 0
fi
command -v curl >/dev/null || { command -v apt-get >/dev/null && apt-get install -qq -y curl || dnf install -q -y curl; }
curl -fsSL https://omnitruck.cinc.sh/install.sh -o /tmp/cinc-install.sh
sh /tmp/cinc-install.sh -v "$version"
rm -f /tmp/cinc-install.sh
