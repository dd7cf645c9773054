#!/bin/sh -eu
# Puts the groups that a preview names into staging, where comps.sh finds them.
#
#   take-groups PREVIEW STAGING

if [ -f "$1/comps.xml" ]; then cp "$1/comps.xml" "$2/reviewed.xml"; fi
