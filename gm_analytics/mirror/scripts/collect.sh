#!/bin/sh -eu
# Removes what lists in staging name: the links of previews (dropped.txt, by number), directories
# (gone.txt), RPMs (rpms.txt).
#
#   collect ROOT STAGING
#
# PREVIEW  as in preview_of.sh
# Exits    1: the live publication is in gone.txt

. ./preview_of.sh
. ./ledger.sh
. ./addresses.sh

root=$1 staging=$2; cd "$root"
ledger_begin  # while every directory that it is made of is there
live=$(readlink repodata)
while read -r number; do
    old=$(preview_of "$number")
    if [ -n "$old" ]; then touch "previews/$old"; fi
    rm -f "previews/$number" "previews/$number.repo"
done < "$staging/dropped.txt"
# A directory leaves by one rename, so that none is ever half there.
while read -r directory; do
    [ "$directory/repodata" != "$live" ]
    rm -rf "$staging/gone"
    case $directory in .publications/*) take_address "$directory" ;; esac
    mv -T "$directory" "$staging/gone"
    rm -rf "$staging/gone"
done < "$staging/gone.txt"
while read -r file; do rm -f "./$file"; done < "$staging/rpms.txt"
awk 'FILENAME == ARGV[1] { gone[$1]; next } !($1 in gone) && !seen[$1]++' \
    "$staging/rpms.txt" .publications/added.txt > .publications/.added.new
mv -f .publications/.added.new .publications/added.txt
name_days "${live%/repodata}"
