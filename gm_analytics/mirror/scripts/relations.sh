#!/bin/sh -eu
# Prints what each file of the closure requires, recommends and provides, and if it is signed.
#
#   relations STAGING ROOT FORM WEAK WORD...
#
# FORM         rpm's query format; WORD stands for a secret word
# WEAK         what is added to it where rpm knows weak dependencies
# WORD         the name of a file of the closure, in staging or else in the pool; or a path: a file
#              that is told of the packages that have it; of others only what is required
# FILE, TYPES  as in only_rpms.sh
# Prints       with tabs
#                package FILE    the lines that follow are about it
#                require|recommend|provide NAME COMPARISON VERSION
#                file PATH
#                signed
#                module LABEL
# Exits        REFUSED, from the environment: a name or a header is refused, as by inspect.sh

. ./only_rpms.sh
. ./query.sh

cd "$1/rpms"; root=$2 form=$3 weak=$4; shift 4
only_rpms . -mindepth 1 -maxdepth 1
: > ../paths
for word; do
    case $word in
        /*) printf '%s\n' "$word" >> ../paths ;;
        *) if [ -f "./$word" ]; then printf './%s\0' "$word"; else printf '%s\0' "$root/$word"; fi ;;
    esac
done > ../files
# A tag that rpm does not know is an error: weak dependencies came with 4.12, OPENPGP with 6.0.
rpm --querytags > ../tags
if grep -qx RECOMMENDNAME ../tags; then form=$form$weak; fi
if grep -qx MODULARITYLABEL ../tags; then
    form="$form%|MODULARITYLABEL?{WORD\tmodule\t%{MODULARITYLABEL}\n}|"
fi
for tag in DSAHEADER RSAHEADER SIGGPG SIGPGP OPENPGP; do
    if grep -qx "$tag" ../tags; then form="$form%|$tag?{WORD\tsigned\n}|"; fi
done
word=$(secret)
query "$(printf '%s\n' "$form" | sed "s/WORD/$word/g")" < ../files > ../relations
# A name with a line end or a tab would forge a line of its own: it has no word, or other fields.
strange=$(awk -F '\t' -v word="$word" '
    BEGIN {
        fields["package"] = fields["file"] = fields["module"] = 3; fields["signed"] = 2
        fields["require"] = fields["recommend"] = fields["provide"] = 5
    }
    $1 != word || NF != fields[$2] { print "h " substr($0, 1, 250); if (++count == 5) exit }
' ../relations)
[ -z "$strange" ] || { printf '%s\n' "$strange"; exit "$REFUSED"; }
cut -f 2- ../relations > ../related
awk -F '\t' '
    pass == 0 { asked[$1]; next }
    pass == 1 && ($1 == "require" || $1 == "recommend") && index($2, "/") {
        count = split($2, words, /[() ]+/)
        for (i = 1; i <= count; i++) asked[words[i]]
    }
    pass == 1 { next }
    $1 != "file" || $2 in asked
' pass=0 ../paths pass=1 ../related pass=2 ../related
