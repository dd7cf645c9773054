#!/bin/sh -eu
# Makes the candidate live by one rename(2), if what it was built on is live still. May be run twice.
#
#   switch ROOT STAGING BASE NEXT CODE
#
# BASE    the publication that must be live
# NEXT    the publication that the candidate becomes
# Prints  the SHA-256 of the repomd.xml that is live now; or what is live in place of BASE
# Exits   CODE: something else than BASE is live

. ./addresses.sh

root=$1 staging=$2 base=$3 next=$4 overtaken=$5; cd "$root"
live=$(readlink repodata); live=${live%/repodata}
if [ "$live" = "$next" ] && cmp -s "$live/publication.json" "$staging/publication.json"; then :
else
    [ "$live" = "$base" ] || { echo "$live"; exit "$overtaken"; }
    if [ -d "$staging/candidate" ]; then
        take_address "$next"  # of a candidate that was never switched to
        rm -rf "$next"; mv -T "$staging/candidate" "$next"
    fi
    rm -f "$staging/link"; ln -s "$next/repodata" "$staging/link"
    chmod 0755 .publications  # an older version left it to the account's umask
    sync -f "$next/repodata/repomd.xml" 2>/dev/null || :
    give_address "$next"  # before a mirrorlist names it
    name_days "$live"  # while a day that is over may still lead to what is live
    touch "$live"  # its time of being kept for clients that are reading it begins
    mv -T "$staging/link" repodata
fi
sha256sum < repodata/repomd.xml | cut -d ' ' -f 1
