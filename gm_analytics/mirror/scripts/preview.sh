#!/bin/sh -eu
# Prints the SHA-256 of a preview's repomd.xml and what upstream looked like, then its
# publication.json; nothing if there is none.
#
#   preview ROOT NUMBER

cd "$1/previews/$2" 2>/dev/null || exit 0
solved=$(cut -s -d ' ' -f 2 upstream.txt 2>/dev/null | head -n 1) || :
echo "$(sha256sum < repodata/repomd.xml | cut -d ' ' -f 1) $solved"
cat publication.json
