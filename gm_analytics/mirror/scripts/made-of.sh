#!/bin/sh -eu
# Prints the SHA-256 and the path of each file that a publication or a preview is made of.
#
#   made-of ROOT

cd "$1"
for file in .publications/*/packages.txt .publications/*/publication.json \
    .publications/*/comps.xml .publications/*/repodata/repomd.xml previews/*/packages.txt previews/*/publication.json; do
    if [ -f "$file" ]; then echo "$(sha256sum < "$file" | cut -c 1-64) $file"; fi
done
