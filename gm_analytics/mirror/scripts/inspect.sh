#!/bin/sh -eu
# Checks every file that was downloaded, gives it the name that its header says, and compares it
# with the pool.
#
#   inspect STAGING ROOT LIVE REPOSDIR CACHE...
#
# LIVE           the live publication, relative to ROOT
# REPOSDIR, CACHE  as in upstream_of.sh: what upstream looks like goes to staging's `upstream`
# FILE, TYPES    as in only_rpms.sh
# HEADER, FACTS  as in facts_of.sh
# Prints         for each file its state, a tab, and its line of packages.txt:
#                  new      the pool has no such file
#                  pool     the pool has it, with these bytes
#                  live     the same, and clients see it
#                  differs  the pool has it, with other bytes
# Exits          1: a file is damaged; standard error says which
#                REFUSED, from the environment: a name or a header is refused; prints
#                  TYPE NAME  as only_rpms.sh
#                  h LINE     a header that no package should have
#                  t NAME     two different files have this name by their headers

. ./only_rpms.sh
. ./facts_of.sh
. ./upstream_of.sh

cd "$1/rpms"; pool=$2 live=$3; shift 3
upstream_of "$@" > ../upstream  # now, since another one may have yum read it meanwhile
only_rpms . -mindepth 1 -maxdepth 1
set -- ./*.rpm
[ -e "$1" ] || exit 0
# Signatures are yum's to judge, by the keys of its repository files; this looks for damage.
rpm -K --nosignature "$@" > ../checked 2>&1 || { grep -av '[^T] OK$' ../checked >&2; exit 1; }
facts_of "$@" > ../headers || { printf '%s\n' "$strange" | sed 's/^/h /'; exit "$REFUSED"; }
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
cut -f 1 ../facts | while read -r file; do
    if [ ! -e "$pool/$file" ] && [ ! -L "$pool/$file" ]; then echo new
    elif [ -f "$pool/$file" ] && cmp -s "./$file" "$pool/$file"; then echo pool
    else echo differs
    fi
done | paste - ../facts > ../states
awk -F '\t' -v OFS='\t' '
    FILENAME == ARGV[1] { live[$1]; next }
    $1 == "pool" && $2 in live { $1 = "live" }
    { print }' "$pool/$live/packages.txt" ../states
