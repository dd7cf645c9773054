#!/bin/sh -eu
# Notes that a publication satisfies a manifest that it was not made for, and which merge that was.
#
#   remember PUBLICATION DIGEST MARK
#
# MARK  may be empty

grep -qxF -- "$2" "$1/manifests.txt" 2>/dev/null || echo "$2" >> "$1/manifests.txt"
if [ -n "$3" ]; then echo "$3" > "$1/mark.txt"; fi
