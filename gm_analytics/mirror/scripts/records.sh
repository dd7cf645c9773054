#!/bin/sh -eu
# Prints the metadata documents that a publication may repeat, for `Records.parse`: groups,
# advisories, modules.
#
#   records SERVED STAGING SECONDS REPOSDIR CACHE...
#
# SERVED           the directory of a publication; or empty
# STAGING          the update's, which has the reviewed preview's if take-groups.sh took them
# SECONDS          for which upstream's metadata count as fresh
# REPOSDIR, CACHE  as in upstream_of.sh; or REPOSDIR is empty, and upstream is left out
# TYPES            of documents, an extended regular expression
# OURS             likewise, of the publication's own
# OTHERS           likewise, of what an adopted repository brought along
# DOCUMENT, LARGEST  as in documents_of.sh
# ALL              bytes of all documents
# Prints           fresh, if upstream's are
#                  source served | adopted | reviewed | upstream ID yes|no, and behind it what
#                  documents_of.sh prints; `no`: the groups of the repository do not count
# Exits            REFUSED: as documents_of.sh

. ./upstream_of.sh
. ./documents_of.sh

served=$1 staging=$2 seconds=$3 reposdir=$4; shift 4
left=$ALL
if [ -n "$reposdir" ] && is_fresh "$reposdir" "$seconds" "$@"; then echo fresh; fi
if [ -n "$served" ]; then
    echo "source served"
    documents_of "$served/repodata" "$OURS"
    # The first one is the repository as it was found.
    adopted=$served/adopted
    if [ "${served##*/}" = 000001 ]; then adopted=$served/repodata; fi
    echo "source adopted"
    documents_of "$adopted" "$OTHERS"
fi
if [ -d "$staging/reviewed" ]; then
    echo "source reviewed"
    documents_of "$staging/reviewed" "$TYPES"
fi
[ -n "$reposdir" ] || exit 0
without=$(without_groups_in "$reposdir")
for id in $(enabled_in "$reposdir"); do
    directory=$(cached_of "$id" "$@")
    [ -n "$directory" ] || continue
    groups=yes
    if printf '%s\n' "$without" | grep -qxF -e "$id"; then groups=no; fi
    # An id may have a variable of yum's in it; here it is only shown.
    echo "source upstream $(printf '%s\n' "$id" | tr -c 'A-Za-z0-9_.:@+/\n-' '_') $groups"
    documents_of "$directory" "$TYPES"
done
