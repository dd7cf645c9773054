#!/bin/sh -eu
# Gives an empty root its first, empty publication, or adopts a plain repository as it is. Does
# nothing if the root has a publication.
#
#   establish ROOT SERVED CODE CREATEREPO [ARGUMENT...]
#
# SERVED         a list of the files that the served primary.xml names, a line each:
#                ALGORITHM, DIGEST, PATH with tabs; it goes
# EXCHANGE       a Python program that exchanges two names by renameat2(2)
# FILE, TYPES    as in only_rpms.sh
# HEADER, FACTS  as in facts_of.sh
# Prints         the paths of files that are missing, or are not those that were served
# Exits          REFUSED, from the environment: a name is refused
#                CODE: files are missing, and nothing was taken over
#                as CREATEREPO does, if it fails

. ./only_rpms.sh
. ./facts_of.sh
. ./ledger.sh

# Takes a file of a sub-folder into the pool: by a link or, where that is refused (another owner's
# file, another disk), by a copy. Fails if the pool has another file of its name.
take() {
    file=${1##*/}
    if [ -e "./$file" ] || [ -L "./$file" ]; then cmp -s "$1" "./$file"; return; fi
    printf '%s\n' "$file" >> .publications/added.txt
    ln -T "$1" "./$file" 2>/dev/null || {
        cp -- "$1" "$first.new/taking"
        chmod 0644 "$first.new/taking"
        mv -T "$first.new/taking" "./$file"
    }
}
# Names what the list of served files has and the pool lacks, as far as it can be told.
short_of() {
    awk -F '\t' '
        FILENAME == ARGV[1] { digest[$1] = $8; next }
        { file = $3; sub(/.*\//, "", file) }
        !(file in digest) || ($1 == "sha256" && digest[file] != $2) { print $3 }
    ' "$first.new/packages.txt" "$served"
}
refuse_if_short() {
    if [ -s "$first.new/short" ]; then head -n 20 "$first.new/short"; exit "$code"; fi
}

root=$1 served=$2 code=$3; shift 3; cd "$root"
if [ -L repodata ]; then exit 0; fi
first=.publications/000001
rm -rf "$first.new"; mkdir -p "$first.new"
chmod 0755 .publications  # an older version left it to the account's umask
ledger_begin
if [ -d repodata ]; then
    only_rpms . ! -path './.*' ! -type d
    while IFS="$(printf '\t')" read -r _ _ path; do
        [ -f "./$path" ] || printf '%s\n' "$path"
    done < "$served" > "$first.new/short"
    refuse_if_short
    # What was served first: of two files of one name it is the one that counts.
    while IFS="$(printf '\t')" read -r _ _ path; do
        case $path in */*) take "./$path" || printf '%s\n' "$path" ;; esac
    done < "$served" > "$first.new/short"
    refuse_if_short
    find . -mindepth 2 -name '*.rpm' -type f ! -path './.*' -printf '%p\0' |
        tr '\n\000' '\001\n' > "$first.new/others"
    while read -r path; do
        if [ -f "$path" ]; then take "$path" || :; fi
    done < "$first.new/others"
    rm "$first.new/others" "$first.new/short"
    cp -a repodata "$first.new/repodata"
    set -- ./*.rpm
    if [ ! -e "$1" ]; then : > "$first.new/packages.txt"
    else
        facts_of "$@" > "$first.new/packages.txt" ||
        for file; do facts_of "$file" || :; done > "$first.new/packages.txt"
    fi
    short_of > "$first.new/short"
    refuse_if_short
    rm "$first.new/short"
else
    : > "$first.new/packages.txt"
    # A directory without packages: the Python createrepo takes an empty --pkglist for none.
    "$@" --outputdir="$first.new" "$first.new"
fi
rm -f "$served"
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
