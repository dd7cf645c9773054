#!/bin/sh -eu
# Prints what a page shows of a mirror's host, for `host_facts.HostFacts`.
#
#   sight ROOT REPOSDIR CACHE...
#
# Prints  free KIB, disk KIB    of the file system of the root
#         now SECONDS           the host's clock
#         read SECONDS          when yum last read a repository's metadata, or found its copy to be
#                               upstream's still; a line a repository that is enabled

. ./upstream_of.sh

root=$1 reposdir=$2; shift 2
df -Pk "$root" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2,4 | while read -r disk free; do
    echo "disk $disk"; echo "free $free"
done
echo "now $(date +%s)"
for id in $(enabled_in "$reposdir"); do
    cached=$(cached_of "$id" "$@")
    [ -n "$cached" ] || continue
    read=$(find "$cached" "${cached%/repodata}" -maxdepth 1 -type f ! -name '*.rpm' \
        -printf '%T@\n' 2>/dev/null | sort -rn | head -n 1)
    if [ -n "$read" ]; then echo "read ${read%.*}"; fi
done
