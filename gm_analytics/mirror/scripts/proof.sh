#!/bin/sh -eu
# Puts a candidate's packages beside its metadata, where these say that they are, and has a package
# manager install some of them: rpm opens each, and changes nothing.
#
#   proof ROOT STAGING COMMAND [ARGUMENT...]
#
# Of a candidate of many packages those are enough that the specs among the arguments want by
# packages.txt; where the command fails with these, it runs once more with all.
#
# Exits  as the command does

. ./addresses.sh

root=$1 staging=$2; shift 2
packages=$staging/candidate/packages.txt

# Links the files whose names it reads to where the metadata say that they are.
link() {
    sed "s|^|$root/|" | xargs -d '\n' -r ln -sf -t "$place" --
}

all() {
    cut -f 1 "$packages" | grep -v '^#' || :
}

# What is wanted by one of the words, each a line; a package that no spec wants is left out.
wanted() {
    awk -F '\t' 'NR == FNR { word[$0]; next }
        { count = split($10, specs, ",")
          for (i = 1; i <= count; i++) if (specs[i] in word) { print $1; break } }' - "$packages"
}

if [ ! -d "$staging/proof" ]; then
    mkdir -p "$staging/proof/previews/0"
    ln -sfn ../../../candidate/repodata "$staging/proof/previews/0/repodata"
    # Until then the repository file offers the metadata alone.
    sed -i "s|^baseurl=.*|baseurl=file://$staging/proof/previews/0/|" "$staging"/candidate.d/*.repo
fi
link=$(cd "$root"; packages_link)
if [ -f "$staging/candidate/repodata/mirrorlist" ] || [ -L "$staging/candidate/${link:-.}" ]; then
    place=$staging/proof/previews/0/$link; mkdir -p "$place"
# Without the link, a preview's packages are two levels above it, as the pool's are.
elif grep -q '^  "kind": "preview",' "$staging/candidate/publication.json"
then place=$staging/proof
else place=$staging/proof/previews/0
fi
# Words in a list of their own, groups, and specs that stand otherwise in packages.txt: all of it.
printf '%s\n' "$@" | wanted > "$staging/proven"
if [ ! -s "$staging/proven" ]; then
    all | link
    exec "$@"
fi
link < "$staging/proven"
if "$@" > "$staging/proof.out" 2> "$staging/proof.err"; then
    cat "$staging/proof.out"; cat "$staging/proof.err" >&2
    exit 0
fi
all | link
exec "$@"
