#!/bin/sh -eu
# Removes an update's staging directory, and what was left behind by others.
#
#   sweep ROOT STAGING CACHE
#
# CACHE  yum's, whose downloads go; or empty

rm -rf "$2"
find "$1/.staging" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
# yum's copies of our own metadata: each candidate has an address of its own.
find "$1/.cache" -mindepth 2 -maxdepth 2 -name 'gm-*' -mmin +10 -exec rm -rf {} +
if [ -n "$3" ] && [ -d "$3" ]; then
    find "$3" -mindepth 3 -maxdepth 3 -path '*/packages/*' -name '*.rpm' -exec rm -rf {} +
fi
