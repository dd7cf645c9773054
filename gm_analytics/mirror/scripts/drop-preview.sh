#!/bin/sh -eu
# Stops serving a preview. Its directory stays for a while, for clients that have its metadata.
#
#   drop-preview ROOT NUMBER
#
# PREVIEW  as in preview_of.sh
# Prints   dropped, if there was one

. ./preview_of.sh

cd "$1"
rm -f "previews/$2.repo"
[ -L "previews/$2" ] || exit 0
old=$(preview_of "$2")
if [ -n "$old" ] && [ -d "previews/$old" ]; then touch "previews/$old"; fi
rm -f "previews/$2"
echo dropped
