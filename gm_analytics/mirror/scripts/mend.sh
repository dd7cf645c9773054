#!/bin/sh -eu
# Puts downloaded files into the pool, in the place of lost and damaged ones, by rename: whoever
# reads the damaged one goes on reading that. May be run twice.
#
#   mend ROOT STAGING
#
# Staging's mend.txt has a line a file: its name in staging, its name in the pool, its SHA-256.
# A file of the pool that has these bytes stays as it is.

. ./ledger.sh

root=$1; cd "$root"; ledger_begin
sum_of() { sha256sum < "$1" | cut -c 1-64; }
while IFS="$(printf '\t')" read -r staged file digest; do
    fresh=$2/rpms/$staged
    if [ -f "./$file" ] && [ "$(sum_of "./$file")" = "$digest" ]; then rm -f "$fresh"; continue; fi
    [ -f "$fresh" ] && [ ! -L "$fresh" ] && [ "$(sum_of "$fresh")" = "$digest" ] ||
        { echo "$staged is not what was downloaded" >&2; exit 1; }
    [ -e "./$file" ] || [ -L "./$file" ] || printf '%s\n' "$file" >> .publications/added.txt
    chmod 0644 "$fresh"
    mv -fT "$fresh" "./$file"
done < "$2/mend.txt"
sync -f . 2>/dev/null || :
