#!/bin/sh -eu
# Puts a candidate's packages beside its metadata, where these say that they are, and becomes the
# command that has a package manager install some of them: rpm opens each, and changes nothing.
#
#   proof ROOT STAGING COMMAND [ARGUMENT...]
#
# Exits  as the command does

root=$1 staging=$2; shift 2
if [ ! -d "$staging/proof" ]; then
    rm -rf "$staging/proof.new"
    mkdir -p "$staging/proof.new/previews/0"
    ln -s ../../../candidate/repodata "$staging/proof.new/previews/0/repodata"
    # A preview's packages are two levels above it, as the pool's are.
    if grep -q '^  "kind": "preview",' "$staging/candidate/publication.json"
    then place=$staging/proof.new
    else place=$staging/proof.new/previews/0
    fi
    cut -f 1 "$staging/candidate/packages.txt" | grep -v '^#' | sed "s|^|$root/|" |
        xargs -d '\n' -r ln -s -t "$place" --
    # Until then the repository file offers the metadata alone.
    sed -i "s|^baseurl=.*|baseurl=file://$staging/proof/previews/0/|" "$staging"/candidate.d/*.repo
    mv -T "$staging/proof.new" "$staging/proof"
fi
exec "$@"
