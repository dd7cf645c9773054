#!/bin/sh -eu
# Prints the SHA-256 of a preview's repomd.xml, and its publication.json; nothing if there is none.
#
#   preview ROOT NUMBER

cd "$1/previews/$2" 2>/dev/null || exit 0
sha256sum < repodata/repomd.xml | cut -d ' ' -f 1
cat publication.json
