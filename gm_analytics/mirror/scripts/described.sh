#!/bin/sh -eu
# Prints what the headers of a publication's RPMs say of their origin and licence.
#
#   described ROOT PUBLICATION FORM
#
# FORM    rpm's query format of a line; WORD stands for a secret word
# Prints  a line a file, as FORM has it; of a file that the pool has lost, none. A header with a
#         line end in one of these fields has none either.

. ./query.sh

cd "$1"
word=$(secret)
cut -f 1 "$2/packages.txt" | grep -v '^#' | while read -r file; do
    if [ -f "./$file" ]; then printf './%s\0' "$file"; fi
done | query "$(printf '%s\n' "$3" | sed "s/WORD/$word/g")" | grep -a "^$word" | cut -f 2-
