#!/bin/sh -eu
# Offers the files of staging's locked.txt to yum, since no publication may name them now.
#
#   offer ROOT STAGING REPO CREATEREPO [ARGUMENT...]
#
# REPO   the repository file that offers them; they get the keys that the pool has
# Exits  as CREATEREPO does, if it fails

. ./left_out.sh

root=$1 staging=$2 text=$3; shift 3; cd "$root"
rm -rf "$staging/locked"; mkdir -p "$staging/locked"
"$@" --pkglist="$staging/locked.txt" --outputdir="$staging/locked" . || left_out
{ printf '%s' "$text"; grep '^gpgkey=' "$staging/pool.d/gm-pool.repo" || :; } \
    > "$staging/pool.d/gm-locked.repo"
