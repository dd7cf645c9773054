#!/bin/sh -eu
# Checks every file that was downloaded, gives it the name that its header says, and compares it
# with the pool.
#
#   inspect STAGING ROOT LIVE CACHE REPOSDIR CACHES CACHES [FILE...]
#
# LIVE           the live publication, relative to ROOT
# CACHE          where yum left what it downloaded
# REPOSDIR, CACHES  as in upstream_of.sh: what upstream looks like goes to staging's `upstream`
# FILE           one of the pool, which is described too
# FILE, TYPES    as in only_rpms.sh
# HEADER, FACTS  as in facts_of.sh
# Prints         for each file its state, a tab, and its line of packages.txt:
#                  new      the pool has no such file
#                  pool     the pool has it, with these bytes
#                  live     the same, and clients see it
#                  differs  the pool has it, with other bytes
#                Standard error says which files are damaged, and those go: a download that was
#                interrupted leaves such
# Exits          REFUSED, from the environment: a name or a header is refused; prints
#                  TYPE NAME  as only_rpms.sh
#                  h LINE     a header that no package should have
#                  t NAME     two different files have this name by their headers

. ./only_rpms.sh
. ./facts_of.sh
. ./upstream_of.sh

whole() {
    printf '%s\0' "$@" | xargs -0 rpm -K --nosignature > /dev/null 2>&1
}

# Writes ../facts, a line for each of the files that were downloaded; damaged ones go.
described() {
    only_rpms . -mindepth 1 -maxdepth 1
    set -- ./*.rpm
    [ -e "$1" ] || return 0
    # Signatures are yum's to judge, by the keys of its repository files; this looks for damage.
    whole "$@" & check=$!
    known=0
    facts_of "$@" > ../headers || known=$?
    if ! wait "$check"; then
        for file; do
            rpm -K --nosignature "$file" > ../checked 2>&1 ||
                { grep -av '[^T] OK$' ../checked >&2 || :; rm -f "$file"; }
        done
        set -- ./*.rpm
        [ -e "$1" ] || return 0
        known=0
        facts_of "$@" > ../headers || known=$?
    fi
    [ "$known" -eq 0 ] || { printf '%s\n' "$strange" | sed 's/^/h /'; exit "$REFUSED"; }
    # A file gets the name that its header gives it. Two files of one name must be the same file.
    awk -F '\t' -v OFS='\t' '{ was = $1; $1 = $2 "-" $4 "-" $5 "." $6 ".rpm"; print was, $0 }' \
        ../headers > ../named
    while IFS="$(printf '\t')" read -r file name rest; do
        [ "$file" != "$name" ] || continue
        ln -T "./$file" "./$name" 2>/dev/null || cmp -s "./$file" "./$name" ||
            { printf 't %s\n' "$name"; exit "$REFUSED"; }
        rm -f "./$file"
    done < ../named
    cut -f 2- ../named | sort -u > ../facts
}

cd "$1/rpms"; pool=$2 live=$3 cache=$4
# From now on, since another one may have yum read it meanwhile.
upstream_of "$5" "$6" "$7" > ../upstream & upstream=$!
trap wait EXIT  # nobody writes to staging after this
shift 7
# By rename: no name here, nor in the cache, is ever one of a file of the pool. Two repositories may
# have files of one name, which have nothing else in common.
downloads() { find "$cache" -mindepth 3 -maxdepth 3 -path '*/packages/*' -name '*.rpm' -type f "$@"; }
if [ -d "$cache" ]; then
    if [ -n "$(downloads -printf '%f\n' | sort | uniq -d)" ]; then
        count=0
        for directory in "$cache"/*/packages; do
            count=$((count + 1))
            for file in "$directory"/*.rpm; do
                if [ -f "$file" ]; then mv -fT "$file" "$directory/$count.${file##*/}"; fi
            done
        done
    fi
    downloads -exec mv -f -t . -- {} +
fi
: > ../facts
described
cut -f 1 ../facts | while read -r file; do
    if [ -e "$pool/$file" ] || [ -L "$pool/$file" ]; then echo "$file"; fi
done > ../known
cd "$pool"
# One program for all: to start one a file is what takes long. Of what it cannot read it has no sum.
while read -r file; do
    if [ -f "./$file" ]; then printf './%s\0' "$file"; fi
done < "$OLDPWD/../known" | xargs -0 -r sha256sum -- > "$OLDPWD/../sums" 2>/dev/null || :
# SUM  ./NAME; a fact has its sum in the eighth place.
awk -F '\t' -v OFS='\t' '
    FILENAME == ARGV[1] { known[$1]; next }
    FILENAME == ARGV[2] { sum[substr($0, 69)] = substr($0, 1, 64); next }
    { print !($1 in known) ? "new" : sum[$1] == $8 ? "pool" : "differs", $0 }
' "$OLDPWD/../known" "$OLDPWD/../sums" "$OLDPWD/../facts" > "$OLDPWD/../states"
there=$(for file; do if [ -f "./$file" ]; then echo "./$file"; fi; done)
if [ -n "$there" ]; then
    # shellcheck disable=SC2086  # names of ours, without blanks
    set -- $there
    facts_of "$@" > "$OLDPWD/../pooled"
    sed "s/^/pool$(printf '\t')/" "$OLDPWD/../pooled" >> "$OLDPWD/../states"
fi
awk -F '\t' -v OFS='\t' '
    FILENAME == ARGV[1] { live[$1]; next }
    $1 == "pool" && $2 in live { $1 = "live" }
    { print }' "$live/packages.txt" "$OLDPWD/../states"
wait "$upstream"
