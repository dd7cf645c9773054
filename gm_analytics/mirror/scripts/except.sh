#!/bin/sh -eu
# Has yum take the packages that staging's except.txt lists from elsewhere than from the pool, which
# has lost them or has damaged ones.
#
#   except STAGING OPTION
#
# OPTION  what a repository file calls it

file=$1/pool.d/gm-pool.repo
[ -e "$file" ] || exit 0
{ printf '%s=' "$2"; tr '\n' ' ' < "$1/except.txt"; echo; } >> "$file"
