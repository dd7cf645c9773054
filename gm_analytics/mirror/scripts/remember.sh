#!/bin/sh -eu
# Notes that a publication satisfies a manifest that it was not made for, and which merge that was.
#
#   remember PUBLICATION DIGEST MARK STAGING
#
# MARK     may be empty
# STAGING  may have `upstream`, what upstream looked like when the manifest was solved

grep -qxF -- "$2" "$1/manifests.txt" 2>/dev/null || echo "$2" >> "$1/manifests.txt"
if [ -n "$3" ]; then echo "$3" > "$1/mark.txt"; fi
if [ -s "$4/upstream" ]; then
    {
        grep -v "^$2 " "$1/upstream.txt" 2>/dev/null || :
        echo "$2 $(head -n 1 "$4/upstream")"
    } > "$4/upstream.txt"
    mv -f "$4/upstream.txt" "$1/upstream.txt"
fi
