#!/bin/sh -eu
# Prints which packages of publications and previews upstream does not have, by the metadata that
# yum has cached.
#
#   withdrawn ROOT REPOSDIR CACHE UNKNOWN DIRECTORY...
#
# DIRECTORY  of a publication or a preview, relative to ROOT
# Prints     gone NEVRA   upstream has no such package
#            other NEVRA  it has, with other bytes
#            lost NEVRA   the pool does not have the file any more
# Exits      UNKNOWN: the metadata of a repository cannot be read

. ./upstream_of.sh

# Prints the primary metadata of the repositories that are enabled, one document after the other.
primaries() {
    for id in $(enabled_in "$reposdir"); do
        # shellcheck disable=SC2012  # the newest, of directories that yum named
        found=$(ls -dt "$cache/$id"-????????????????/repodata/*primary.xml* 2>/dev/null |
            head -n 1)
        case $found in
            *.gz) gzip -dc "$found" ;; *.xz) xz -dc --memlimit-decompress=256MiB "$found" ;;
            *.zst) zstd -dcq "$found" ;; *.xml) cat "$found" ;; *) return 1 ;;
        esac || return 1
    done
}

root=$1 reposdir=$2 cache=$3 unknown=$4; shift 4; cd "$root"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for directory; do
    if [ -f "$directory/packages.txt" ]; then grep -v '^#' "$directory/packages.txt" || :; fi
done > "$scratch/ours"
mkfifo "$scratch/primaries"
{ primaries || touch "$scratch/unknown"; } > "$scratch/primaries" &
awk -F '\t' '
    function value(pattern, skipped, found) {
        if (!match($0, pattern)) return ""
        found = substr($0, RSTART + skipped, RLENGTH - skipped)
        sub(/[<"].*$/, "", found)
        return found
    }
    FILENAME != "-" {
        key = $2 " " $3 " " $4 " " $5 " " $6
        nevra = $2 "-" ($3 > 0 ? $3 ":" : "") $4 "-" $5 "." $6
        ours[key, $8] = nevra; known[key] = 1
        next
    }
    {
        if (!match($0, /<version [^>]*>/)) next
        tag = substr($0, RSTART, RLENGTH)
        key = value("<name>[^<]*", 6)
        arch = value("<arch>[^<]*", 6)
        sum = ""
        if (match($0, /<checksum [^>]*>[^<]*/)) {
            sum = substr($0, RSTART, RLENGTH)
            type = sum; sub(/^.* type="/, "", type); sub(/".*$/, "", type)
            sub(/^[^>]*>/, "", sum)
        }
        $0 = tag
        epoch = value(" epoch=\"[^\"]*", 8)
        key = key " " (epoch + 0) " " value(" ver=\"[^\"]*", 6) " " value(" rel=\"[^\"]*", 6) \
            " " arch
        if (key in known) { there[key] = 1; if (type == "sha256") same[key, sum] = 1 }
    }
    END {
        for (one in ours) {
            split(one, part, SUBSEP)
            if (!(part[1] in there)) print "gone " ours[one]
            else if (!(one in same)) print "other " ours[one]
        }
    }' "$scratch/ours" RS='</package>' - < "$scratch/primaries"
wait
[ ! -e "$scratch/unknown" ] || exit "$unknown"
while IFS="$(printf '\t')" read -r file name epoch version release arch rest; do
    case $epoch in 0) epoch= ;; *) epoch=$epoch: ;; esac
    [ -f "./$file" ] || echo "lost $name-$epoch$version-$release.$arch"
done < "$scratch/ours"
