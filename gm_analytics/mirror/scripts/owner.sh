#!/bin/sh -eu
# Prints which service publishes on a mirror, for `Owner.parse`: the live publication, the note of
# who took it over (a line, maybe empty), publication.json. Nothing is printed if nothing is live.
#
#   owner ROOT

cd "$1" 2>/dev/null || exit 0
live=$(readlink repodata) || exit 0
live=${live%/repodata}
echo "$live"
# shellcheck disable=SC2005  # one line, also where there is no note
echo "$(head -c 200 "$live/service.txt" 2>/dev/null | tr -d '\n' || :)"
if [ -f "$live/publication.json" ]; then head -c 4000000 "$live/publication.json"; fi
