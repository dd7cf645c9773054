#!/bin/sh -eu
# Puts public keys where HTTP serves them. A name says what is in the file, which is never another.
#
#   offer-keys PLACE STAGING NAME...

place=$1 staging=$2; shift 2
mkdir -p "$place"; chmod 0755 "$place"
for name; do
    cmp -s "$staging/$name" "$place/$name" && continue
    chmod 0644 "$staging/$name"
    mv -fT "$staging/$name" "$place/$name"
done
