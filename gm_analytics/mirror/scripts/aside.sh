#!/bin/sh -eu
# Makes a staging directory in the account's temporary directory, for who only looks at a mirror,
# with a copy of yum's cache: who publishes meanwhile has the lock of the other one.
#
#   aside CACHE
#
# Prints  its path

temporary=${TMPDIR:-/tmp}
find "$temporary" -mindepth 1 -maxdepth 1 -name 'gm-analytics-look.*' -user "$(id -u)" \
    -mtime +1 -exec rm -rf {} + 2>/dev/null || :
place=$(mktemp -d "$temporary/gm-analytics-look.XXXXXXXXXX")
# A copy, and no links: yum writes some of it in place. What is half there is fetched again.
if [ -d "$1" ]; then cp -a "$1" "$place/cache" 2>/dev/null || rm -rf "$place/cache"; fi
echo "$place"
