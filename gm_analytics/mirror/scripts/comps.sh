#!/bin/sh -eu
# Prints groups files, each in base64 on a line of its own: a publication's (an empty one if it has
# none), the reviewed preview's if take-groups.sh took it, and upstream's from yum's cache.
#
#   comps PUBLICATION CACHE STAGING [CACHE]
#
# HREF     what the path of a cached file looks like, an extended regular expression
# LARGEST  how many bytes of one of upstream's are printed at most
# Exits    REFUSED, from the environment: yum cached a file with another name, which is printed

# Prints those that yum has cached, but for our own candidates'. The names are upstream's.
cached() {
    [ -d "$1" ] || return 0
    names=$(find "$1" -name '*comps*.xml*' -type f ! -path "$1/gm-*" -printf '%P\0' |
        tr '\n\000' '\001\n')
    strange=$(printf '%s\n' "$names" | grep -avxE "$HREF|" | head -n 5 | cut -b 1-300) || :
    [ -z "$strange" ] || { printf '%s\n' "$strange" | sed 's/^/f /'; exit "$REFUSED"; }
    [ -z "$names" ] || printf '%s\n' "$names" | while read -r name; do
        file=$1/$name
        case $file in
            *.gz) gzip -dc "$file" ;; *.xz) xz -dc --memlimit-decompress=256MiB "$file" ;;
            *.zst) zstd -dc "$file" ;; *) cat "$file" ;;
        esac | head -c "$LARGEST" | base64 -w 0
        echo
    done
}
if [ -f "$1/comps.xml" ]; then cat "$1/comps.xml"; else echo '<comps/>'; fi | base64 -w 0
echo
if [ -f "$3/reviewed.xml" ]; then base64 -w 0 < "$3/reviewed.xml"; echo; fi
cached "$2"
[ -z "${4:-}" ] || cached "$4"
