#!/bin/sh -eu
# Makes an update's staging directory; what is there already is kept.
#
#   prepare STAGING POOL CANDIDATE PREVIEW PREVIEW_REPO REPOSDIR KEYS CACHE ROOT
#
# POOL, CANDIDATE  the repository files that offer the pool and the candidate to yum
# PREVIEW          the pull request's own preview, a directory; where it is there,
# PREVIEW_REPO     this repository file offers it, too
# REPOSDIR         upstream's repository files
# KEYS             not empty where the pool's signatures are checked, by upstream's keys
# CACHE            where yum leaves what it downloads
# ROOT             whose pool is not offered where it has no metadata yet
# Prints           the ids of the repositories that are directories of this host

. ./keys_of.sh
. ./local_of.sh

staging=$1
mkdir -p "$staging/rpms" "$staging/pool.d" "$staging/candidate.d" "$staging/log"
printf '%s' "$2" > "$staging/pool.d/gm-pool.repo"
printf '%s' "$3" > "$staging/candidate.d/gm-pool.repo"
if [ -e "$4/repodata/repomd.xml" ]; then
    printf '%s' "$5" > "$staging/pool.d/gm-pool-preview.repo"
fi
[ -e "$9/repodata/repomd.xml" ] || rm "$staging/pool.d/gm-pool.repo"
if [ -n "$7" ]; then
    keys=$(keys_of "$6")
    for file in "$staging"/pool.d/*.repo; do
        if [ -e "$file" ]; then echo "gpgkey=$keys" >> "$file"; fi
    done
fi
# What is downloaded is written in place, through a link too.
if [ -d "$8" ]; then
    find "$8" -mindepth 3 -maxdepth 3 -path '*/packages/*' ! -type f ! -type d -exec rm -f {} +
fi
local_of "$6"
