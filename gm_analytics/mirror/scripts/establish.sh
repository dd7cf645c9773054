#!/bin/sh -eu
# Gives an empty root its first, empty publication, or adopts a plain repository as it is. Does
# nothing if the root has a publication.
#
#   establish ROOT CREATEREPO [ARGUMENT...]
#
# EXCHANGE       a Python program that exchanges two names by renameat2(2)
# FILE, TYPES    as in only_rpms.sh
# HEADER, FACTS  as in facts_of.sh
# Exits          REFUSED, from the environment: a name is refused
#                as CREATEREPO does, if it fails

. ./only_rpms.sh
. ./facts_of.sh

root=$1; shift; cd "$root"
if [ -L repodata ]; then exit 0; fi
first=.publications/000001
rm -rf "$first.new"; mkdir -p "$first.new"
if [ -d repodata ]; then
    only_rpms . ! -path './.*' ! -type d
    find . -mindepth 2 -name '*.rpm' -type f ! -path './.*' -exec ln -t . {} + 2>/dev/null || :
    cp -a repodata "$first.new/repodata"
    set -- ./*.rpm
    if [ ! -e "$1" ]; then : > "$first.new/packages.txt"
    else
        facts_of "$@" > "$first.new/packages.txt" ||
        for file; do facts_of "$file" || :; done > "$first.new/packages.txt"
    fi
else
    : > "$first.new/packages.txt"
    # A directory without packages: the Python createrepo takes an empty --pkglist for none.
    "$@" --outputdir="$first.new" "$first.new"
fi
rm -rf "$first"; mv -T "$first.new" "$first"
rm -f .repodata.new; ln -s "$first/repodata" .repodata.new
if [ ! -d repodata ]; then mv -T .repodata.new repodata; exit 0; fi
# The exchange of a directory and a link is one system call where renameat2(2) is there
# (coreutils 9.5's mv, or Python's ctypes), so that no client meets a missing repodata.
if mv --exchange -T .repodata.new repodata 2>/dev/null; then :
elif python3 -c "$EXCHANGE" .repodata.new repodata 2>/dev/null; then :
else mv -T repodata .repodata.old; mv -T .repodata.new repodata
fi
rm -rf .repodata.new .repodata.old
