#!/bin/sh -eu
# Prints which of staging's files have the headers and payloads of other files, so that only their
# signatures differ. Staging's payloads.txt has a line a pair: a name in staging, one in the pool.
#
#   payloads ROOT STAGING
#
# Prints  same|other|unknown and the name in staging; `unknown` if the pool's cannot be read

. ./query.sh

# A digest over header and payload; it lies outside of what a signature changes.
digest_of() {
    printf '%s\0' "$1" | query '%{SIGMD5}\n' 2>/dev/null | grep -x '[0-9a-f]\{32\}' || :
}
root=$1
while IFS="$(printf '\t')" read -r staged file; do
    cd "$2/rpms"; new=$(digest_of "./$staged")
    cd "$root"; old=; if [ -f "./$file" ]; then old=$(digest_of "./$file"); fi
    if [ -z "$old" ] || [ -z "$new" ]; then echo "unknown $staged"
    elif [ "$old" = "$new" ]; then echo "same $staged"
    else echo "other $staged"
    fi
done < "$2/payloads.txt"
