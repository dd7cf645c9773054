#!/bin/sh -eu
# Prints which programs a host has, how much disk is free, and what is live, for `Survey.parse`.
#
#   survey ROOT SECONDS REPOSDIR CACHE...
#
# SECONDS          for which upstream's metadata count as fresh
# REPOSDIR, CACHE  as in upstream_of.sh
# PUBLICATION      what the directory of a live publication looks like, an extended regular
#                  expression
# Prints           a fact a line, WORD VALUE; then the line `publication` and the live
#                  publication.json

. ./upstream_of.sh

root=$1 seconds=$2; shift 2
for name in dnf5 dnf yum; do
    path=$(command -v "$name") && { echo "manager $(readlink -f "$path")"; break; }
done
for name in createrepo_c createrepo; do
    path=$(command -v "$name") && { echo "createrepo $path"; break; }
done
for name in flock timeout rpm sha256sum cmp; do
    command -v "$name" >/dev/null || echo "missing $name"
done
echo "uid $(id -u)"
if unshare --map-root-user true 2>/dev/null; then echo "userns yes"; fi
[ -w "$root" ] || { echo "state unwritable"; exit 0; }
echo "free $(df -Pk "$root" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
cd "$root"
if [ -L repodata ]; then
    live=$(readlink repodata | head -n 1 | cut -b 1-300); live=${live%/repodata}
    echo "state live $live"
    printf '%s\n' "$live" | grep -aqxE "$PUBLICATION" || exit 0  # not ours: it is read no further
    if [ -f "$live/manifests.txt" ]; then sed 's/^/manifest /' "$live/manifests.txt"; fi
    if [ -f "$live/upstream.txt" ]; then sed 's/^/solved /' "$live/upstream.txt"; fi
    upstream=$(upstream_of "$@")
    if [ -n "$upstream" ]; then echo "upstream $upstream"; fi
    reposdir=$1; shift
    if is_fresh "$reposdir" "$seconds" "$@"; then echo "fresh yes"; fi
    if [ -f "$live/mark.txt" ]; then sed 's/^/mark /' "$live/mark.txt"; fi
    echo "repomd $(sha256sum < repodata/repomd.xml | cut -d ' ' -f 1)"
    if [ -f repodata/mirrorlist ]; then
        echo "mirrorlist $(head -c 1000 repodata/mirrorlist | head -n 1 | tr -d '\000-\037\177')"
    fi
    if [ -d previews ]; then
        echo "previews $(find previews -mindepth 1 -maxdepth 1 -type l -printf . | wc -c)"
    fi
    if [ -f "$live/publication.json" ]; then echo publication; cat "$live/publication.json"; fi
elif [ -d repodata ]; then echo "state plain"
else echo "state empty"
fi
