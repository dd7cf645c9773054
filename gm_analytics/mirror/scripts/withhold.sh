#!/bin/sh -eu
# Has yum take the packages that staging's except.txt lists from elsewhere than from the pool; all
# packages, if there is no such list.
#
#   withhold STAGING REPOSITORY...
#
# REPOSITORY  the id of one that offers the pool

staging=$1; shift
for id; do
    file=$staging/pool.d/$id.repo
    [ -e "$file" ] || continue
    if [ -f "$staging/except.txt" ]; then
        { printf 'excludepkgs='; tr '\n' ' ' < "$staging/except.txt"; echo; } >> "$file"
    else rm "$file"
    fi
done
