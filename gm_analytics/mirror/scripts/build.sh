#!/bin/sh -eu
# Writes the metadata of the packages that staging's packages.txt lists, as a candidate in staging.
#
#   build ROOT STAGING BASE GRACE ADOPTED CREATEREPO [ARGUMENT...]
#
# BASE      the directory of what the candidate is to follow; it may be missing
# GRACE     minutes for which clients may go on using the metadata that are live now
# ADOPTED   the directory of a publication from which the candidate has what an adopted repository
#           brought along, and what upstream looked like; or empty
# METADATA  what the name of a metadata file looks like, an extended regular expression
# MODIFYREPO  the command, and its options, that adds a document to a repomd.xml
# PACKAGES    the link through which the metadata name the packages; unset without one
# ADDRESS     with that, the address that the publication keeps, which its mirrorlist names; empty
#             for a preview, which has a link of its own
# Of staging it takes, beside what lies at the top of a publication,
#           records.txt, a line FILE TYPE for each document of its own; the groups are a file
#           that createrepo takes, others are compressed
#           adopted.txt, a line FILE TYPE for each document of ADOPTED that goes on; TYPE is empty
#           for one that its own one stands for
# Prints    lost FILE, for each that the pool has lost, or has with another size; then
#           signer KEY COUNT FILE, for each key that signed packages: its id, how many, the smallest
#           unsigned FILE, for packages without a signature, and unknown COUNT for others; and
#           key NAME, for each file of keys that is served
# Exits     as CREATEREPO does, if it fails

. ./left_out.sh
. ./signers_of.sh

# Adds the documents of a list in staging, which are in a directory, to the candidate's repomd.xml.
add_documents() {
    [ -f "$staging/$1" ] || return 0
    while IFS="$tab" read -r file type; do
        case $type in '' | group) continue ;; esac
        # It opens what is compressed. What is not stays so: who reads it may know nothing else.
        case $file in *.gz | *.xz | *.bz2 | *.zst) kept='' ;; *) kept=--no-compress ;; esac
        # shellcheck disable=SC2086  # a command and its options
        $MODIFYREPO $kept --mdtype="$type" "$2/$file" "$staging/candidate/repodata" > /dev/null
    done < "$staging/$1"
}

tab=$(printf '\t')
root=$1 staging=$2 base=$3 grace=$4 adopted=$5; shift 5
cd "$root"
rm -rf "$staging/candidate" "$staging/proof"; mkdir -p "$staging/candidate"
cut -f 1 "$staging/packages.txt" > "$staging/pkglist"
cp "$staging/packages.txt" "$staging/publication.json" "$staging/manifests.txt" \
    "$staging/candidate/"
# What upstream looked like as the manifest was solved; of a set that is published again, then.
if [ -s "$staging/upstream" ]; then
    sed "s/\$/ $(head -n 1 "$staging/upstream")/" "$staging/manifests.txt" \
        > "$staging/candidate/upstream.txt"
elif [ -n "$adopted" ] && [ -f "$adopted/upstream.txt" ]; then
    cp "$adopted/upstream.txt" "$staging/candidate/"
fi
find . -maxdepth 1 -name '*.rpm' -printf '%f\t%s\t%y\n' > "$staging/sizes"
# A link of a repository that was taken over has another size than its file.
awk -F '\t' '
    FILENAME == ARGV[1] { size[$1] = $2; type[$1] = $3; next }
    /^#/ { next }
    !($1 in size) || (type[$1] == "f" && size[$1] != $7) { print $1 }
' "$staging/sizes" "$staging/packages.txt" > "$staging/lost"
sed 's/^/lost /' "$staging/lost"
# createrepo would take a file that was cut short for a good one, with a checksum of its own.
if [ -s "$staging/lost" ]; then
    grep -vxF -f "$staging/lost" "$staging/pkglist" > "$staging/left" || :
    mv "$staging/left" "$staging/pkglist"
fi
cp "$staging/pkglist" "$staging/listed"
if [ -n "${PACKAGES-}" ]; then sed -i "s|^|$PACKAGES/|" "$staging/pkglist"; fi
if grep -qxF "comps.xml${tab}group" "$staging/records.txt" 2> /dev/null; then
    cp "$staging/comps.xml" "$staging/candidate/comps.xml"
    set -- "$@" --groupfile="$staging/candidate/comps.xml"
fi
if [ -s "$staging/pkglist" ]; then
    "$@" --pkglist="$staging/pkglist" --outputdir="$staging/candidate" . || left_out
else
    # Without packages: the Python createrepo takes an empty --pkglist for none.
    "$@" --outputdir="$staging/candidate" "$staging/candidate"
fi
add_documents records.txt "$staging"
if [ -n "${ADDRESS-}" ]; then  # one rename switches both
    printf '%s\n' "$ADDRESS" > "$staging/candidate/repodata/mirrorlist"
elif [ -n "${PACKAGES-}" ]; then ln -s ../.. "$staging/candidate/$PACKAGES"
fi
if [ -n "$adopted" ] && [ -s "$staging/adopted.txt" ]; then
    # The first one is the repository as it was found.
    if [ "${adopted##*/}" = 000001 ]; then from=$adopted/repodata; else from=$adopted/adopted; fi
    mkdir "$staging/candidate/adopted"
    for file in repomd.xml $(cut -f 1 "$staging/adopted.txt"); do
        ln "$from/$file" "$staging/candidate/adopted/"
    done
    add_documents adopted.txt "$staging/candidate/adopted"
fi
# Of a file that is known nothing is asked again: it is never written over.
for known in repodata/.. "$base"; do
    if [ -f "$known/signers.txt" ]; then cat "$known/signers.txt"; fi
done > "$staging/signers"
awk -F '\t' 'FILENAME == ARGV[1] { known[$1]; next } !($1 in known)' \
    "$staging/signers" "$staging/listed" | signers_of "$staging" > "$staging/signed"
awk -F '\t' 'FILENAME == ARGV[1] { listed[$1]; next } $1 in listed && !seen[$1]++' \
    "$staging/listed" "$staging/signers" "$staging/signed" > "$staging/candidate/signers.txt"
awk -F '\t' '
    FILENAME == ARGV[1] { size[$1] = $7; next }
    $2 == "unsigned" { if (++unsigned <= 50) print "unsigned " $1; next }
    $2 == "unknown" { unknown++; next }
    !count[$2]++ || size[$1] < size[smallest[$2]] { smallest[$2] = $1 }
    END {
        if (unknown) print "unknown " unknown
        for (key in count) print "signer", key, count[key], smallest[key]
    }' "$staging/packages.txt" "$staging/candidate/signers.txt"
if [ -d keys ]; then find keys -maxdepth 1 -type f -name 'RPM-GPG-KEY-*' -printf 'key %f\n'; fi
# The metadata of sets that were live within the grace period stay beside the new ones: a client
# that holds an old repomd.xml still finds what it names.
kept=$base
while [ -n "$kept" ] && [ -f "$kept/repodata/repomd.xml" ]; do
    grep -aoE "href=\"$METADATA\"" "$kept/repodata/repomd.xml" | cut -d '"' -f 2 |
    while read -r file; do
        [ -e "$staging/candidate/$file" ] || ln "$kept/$file" "$staging/candidate/$file"
    done
    [ -n "$(find "$kept/packages.txt" -mmin "-$grace")" ] || break
    case $kept in previews/*) break ;; esac
    # shellcheck disable=SC2003  # $((...)) takes a number with leading zeros for an octal one
    number=$(expr "${kept##*/}" + 0 - 1) || break
    kept=.publications/$(printf '%06d' "$number")
done
# Whatever a file was copied from, or a program gives those that it makes.
chmod -R u=rwX,go=rX "$staging/candidate"
