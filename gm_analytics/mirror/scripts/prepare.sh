#!/bin/sh -eu
# Makes an update's staging directory; what is there already is kept.
#
#   prepare STAGING POOL CANDIDATE PREVIEW PREVIEW_REPO REPOSDIR KEYS CACHE ROOT [CODE]
#
# POOL, CANDIDATE  the repository files that offer the pool and the candidate to yum
# PREVIEW          the pull request's own preview, a directory; where it is there,
# PREVIEW_REPO     this repository file offers it, too
# REPOSDIR         upstream's repository files
# KEYS             not empty where the pool's signatures are checked, by upstream's keys
# CACHE            where yum leaves what it downloads
# ROOT             whose pool is not offered where it has no metadata yet
# Prints           packages NAME, the link through which metadata may name packages, if there is one
#                  the ids of the repositories that are directories of this host; or
#                  which repository file cannot be read: yum says nothing of it
# Exits            CODE, if it is given: there is one

. ./addresses.sh
. ./keys_of.sh
. ./local_of.sh
. ./priority_of.sh
. ./without_modules.sh

if [ -n "${10-}" ]; then
    for file in "$6"/*.repo; do
        [ ! -e "$file" ] || [ -r "$file" ] ||
            { printf '%s\n' "$(id -un) cannot read $file, so yum passes over it"; exit "${10}"; }
    done
fi
staging=$1
mkdir -p "$staging/rpms" "$staging/pool.d" "$staging/candidate.d" "$staging/log"
printf '%s' "$2" > "$staging/pool.d/gm-pool.repo"
printf '%s' "$3" > "$staging/candidate.d/gm-pool.repo"
if [ -e "$4/repodata/repomd.xml" ]; then
    printf '%s' "$5" > "$staging/pool.d/gm-pool-preview.repo"
fi
[ -e "$9/repodata/repomd.xml" ] || rm "$staging/pool.d/gm-pool.repo"
without_modules "$staging/pool.d/gm-pool.repo" "$9" "$9" "$staging/pool" ""
without_modules "$staging/pool.d/gm-pool-preview.repo" "$4" "$9" "$staging/pool" a/b/
keys='' priority=$(priority_of "$6")
if [ -n "$7" ]; then keys=gpgkey=$(keys_of "$6"); fi
for file in "$staging"/pool.d/*.repo; do
    for line in "$keys" "$priority"; do
        if [ -e "$file" ] && [ -n "$line" ]; then printf '%s\n' "$line" >> "$file"; fi
    done
done
# What is downloaded is written in place, through a link too.
if [ -d "$8" ]; then
    find "$8" -mindepth 3 -maxdepth 3 -path '*/packages/*' ! -type f ! -type d -exec rm -f {} +
fi
# Who only looks has its staging elsewhere, and changes nothing here.
case $staging in
    "$9"/*) (cd "$9"; if [ -L repodata ]; then packages_link | sed 's/^/packages /'; fi) ;;
esac
local_of "$6"
