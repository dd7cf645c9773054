#!/bin/sh -eu
# Prints the SHA-256 and the name of each file of staging's locked.txt that the pool has.
#
#   sums ROOT STAGING

cd "$1"
while read -r file; do
    if [ -f "./$file" ]; then printf './%s\0' "$file"; fi
done < "$2/locked.txt" | xargs -0 -r sha256sum --
