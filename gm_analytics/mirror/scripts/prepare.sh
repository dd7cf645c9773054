#!/bin/sh -eu
# Makes an update's staging directory; what is there already is kept.
#
#   prepare STAGING POOL CANDIDATE PREVIEW PREVIEW_REPO REPOSDIR ROOT
#
# POOL, CANDIDATE  the repository files that offer the pool and the candidate to yum
# PREVIEW          the pull request's own preview, a directory; where it is there,
# PREVIEW_REPO     this repository file offers it, too
# REPOSDIR         upstream's repository files, where the pool's signatures are checked by their
#                  keys; else empty
# ROOT             whose pool is not offered where it has no metadata yet

. ./keys_of.sh

staging=$1
mkdir -p "$staging/rpms" "$staging/pool.d" "$staging/candidate.d" "$staging/log"
printf '%s' "$2" > "$staging/pool.d/gm-pool.repo"
printf '%s' "$3" > "$staging/candidate.d/gm-pool.repo"
if [ -e "$4/repodata/repomd.xml" ]; then
    printf '%s' "$5" > "$staging/pool.d/gm-pool-preview.repo"
fi
[ -e "$7/repodata/repomd.xml" ] || rm "$staging/pool.d/gm-pool.repo"
if [ -n "$6" ]; then
    keys=$(keys_of "$6")
    for file in "$staging"/pool.d/*.repo; do
        if [ -e "$file" ]; then echo "gpgkey=$keys" >> "$file"; fi
    done
fi
