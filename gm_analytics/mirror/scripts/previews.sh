#!/bin/sh -eu
# Prints the packages of previews, each behind the line `preview NUMBER`; one that went is left out.
#
#   previews ROOT NUMBER...

cd "$1"; shift
for number; do
    [ -f "previews/$number/packages.txt" ] || continue
    echo "preview $number"
    cat "previews/$number/packages.txt" 2>/dev/null || :
done
