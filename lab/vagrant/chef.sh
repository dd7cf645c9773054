#!/bin/sh
# Find Chef or Cinc in the machine, else install Cinc; leave it where Vagrant is told to look.
#
#   chef.sh VERSION SHA256
#
# The installer is run as root only if it has that SHA-256, which is of a script that somebody
# looked at. It checks what it downloads by checksums of its own.
set -eu
PATH=$PATH:/opt/cinc/bin:/opt/chef/bin:/usr/local/bin
bin=${GM_LAB_BIN:-/opt/gm_lab/bin}
url=https://omnitruck.cinc.sh/install.sh

find_solo() { command -v cinc-solo || command -v chef-solo; }

install_cinc() {
    command -v curl >/dev/null || { apt-get -qq update && apt-get -qq install -y curl; }
    # In a directory of root's own: nobody may swap it between the check and the run.
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    curl -fsSL --proto '=https' --tlsv1.2 "$url" > "$place/install.sh"
    found=$(sha256sum < "$place/install.sh")
    found=${found%% *}
    if [ "$found" != "$2" ]; then
        echo "cinc: $url has the SHA-256 $found; expected ${2:-the one that you give}." >&2
        echo "cinc: look at it, then write cinc_sha256: $found into site.yaml" >&2
        exit 1
    fi
    bash "$place/install.sh" -v "$1"
}

if ! solo=$(find_solo); then
    echo "installing Cinc $1"
    install_cinc "$1" "${2:-}"
    solo=$(find_solo)
fi
mkdir -p "$bin"
ln -sfn "$solo" "$bin/chef-solo"
"$bin/chef-solo" --version
