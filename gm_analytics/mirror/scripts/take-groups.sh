#!/bin/sh -eu
# Puts the groups that a preview names into staging, where comps.sh finds them, and what upstream
# looked like when it was solved.
#
#   take-groups PREVIEW STAGING

if [ -f "$1/comps.xml" ]; then cp "$1/comps.xml" "$2/reviewed.xml"; fi
if [ -f "$1/upstream.txt" ]; then cut -s -d ' ' -f 2 "$1/upstream.txt" > "$2/upstream"; fi
