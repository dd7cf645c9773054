#!/bin/sh -eu
# Links the files that staging's new.txt lists into the pool; their names in staging go. May be run
# twice.
#
#   add ROOT STAGING CODE
#
# Prints  the name of a file that the pool has with other bytes
# Exits   CODE: there is one
#         1: a file is neither in staging nor in the pool, or cannot be linked

. ./ledger.sh

# link(2) never writes over a name, whoever comes between. The names in staging go at once: a
# package manager that is run again writes its downloads in place.
root=$1; cd "$root"; ledger_begin
cd "$2/rpms"; differs=$3
while read -r file; do
    if [ -f "./$file" ] && [ ! -L "./$file" ]; then printf './%s\0' "$file"
    else [ -e "$root/$file" ] || { echo "$file is gone from staging" >&2; exit 1; }
    fi
done < ../new.txt > ../adding
# Before they are there: what a person puts there meanwhile is named, and is compared below.
while read -r file; do
    [ -e "$root/$file" ] || [ -L "$root/$file" ] || printf '%s\n' "$file"
done < ../new.txt >> "$root/.publications/added.txt"
xargs -0 -r chmod 0644 -- < ../adding
xargs -0 -r ln -t "$root" -- < ../adding 2> ../linked || :
while read -r file; do
    [ -e "./$file" ] || continue
    [ "./$file" -ef "$root/$file" ] || cmp -s "./$file" "$root/$file" || {
        if [ -e "$root/$file" ] || [ -L "$root/$file" ]; then echo "$file"; exit "$differs"; fi
        head -n 5 ../linked >&2; exit 1
    }
done < ../new.txt
xargs -0 -r rm -f -- < ../adding
