#!/bin/sh -eu
# Prints the RPMs of the pool that nothing names and that the service added, and sizes, for
# `Pool.parse`. Named are the packages of the directories in staging's kept.txt, and the closures of
# unfinished updates. The comparison is made where the pool lies, which may have ten thousand files.
#
#   unnamed ROOT STAGING
#
# FILE    what a file's name looks like, an extended regular expression
# Prints  FILE SIZE SECONDS  with tabs: an RPM and when it was added
#         unlisted DIRECTORY of which it cannot be told what it names: then no RPM may go
#         size BYTES         of all RPMs
#         before BYTES       of the metadata in kept.txt and gone.txt
#         after BYTES        of those in kept.txt

. ./ledger.sh

root=$1 staging=$2; cd "$root"
[ -s "$staging/kept.txt" ]
: > "$staging/named"
weight() { tr '\n' '\0' | du -scb --files0-from=- | tail -n 1 | cut -f 1; }
while read -r directory; do
    cut -f 1 "$directory/packages.txt" 2>/dev/null >> "$staging/named" ||
        printf 'unlisted\t%s\n' "$directory"
done < "$staging/kept.txt"
for file in .staging/*/facts .staging/*/packages.txt; do
    if [ -f "$file" ]; then cut -f 1 "$file" >> "$staging/named"; fi
done
ledger > "$staging/ours"
# What has another name than we give is a stranger's, and stays.
# shellcheck disable=SC2153  # FILE is no misspelled `file`
find . -maxdepth 1 -name '*.rpm' -type f -printf '%f\t%s\t%T@\0' | tr '\n\000' '\001\n' |
grep -axE "($FILE)$(printf '\t')[0-9]+$(printf '\t')[0-9.]+" > "$staging/pool" || :
awk -F '\t' '
    FILENAME == ARGV[1] { named[$1]; next }
    FILENAME == ARGV[2] { ours[$1]; next }
    { size += $2 }
    $1 in ours && !($1 in named) { print }
    END { printf "size\t%.0f\n", size }' "$staging/named" "$staging/ours" "$staging/pool"
printf 'before\t%s\n' "$(cat "$staging/kept.txt" "$staging/gone.txt" | weight)"
printf 'after\t%s\n' "$(weight < "$staging/kept.txt")"
