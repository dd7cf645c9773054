#!/bin/sh -eu
# Puts the metadata of a preview into staging, where records.sh finds its groups and advisories, and
# what upstream looked like when it was solved.
#
#   take-groups PREVIEW STAGING

rm -rf "$2/reviewed"
if [ -d "$1/repodata" ]; then cp -RL "$1/repodata" "$2/reviewed"; fi
if [ -f "$1/upstream.txt" ]; then cut -s -d ' ' -f 2 "$1/upstream.txt" > "$2/upstream"; fi
