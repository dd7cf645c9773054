#!/bin/sh -eu
# Prints the files of a publication's packages that the pool lacks.
#
#   missing ROOT PUBLICATION

cd "$1"
cut -f 1 "$2/packages.txt" | grep -v '^#' | while read -r file; do
    [ -e "./$file" ] || echo "$file"
done
