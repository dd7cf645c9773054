r"""What was downloaded: looked at, compared with the pool, and added to it. Commands as data.

Upstream chose the names of the files and all that their headers say; no signature covers the
names. So a script looks at every name with `find` and `grep` before it gives one to a program,
every operand begins with `./`, and what rpm prints of a header is taken only if it has as many
lines as there are files, each of them behind a word that the header's author could not know.
"""

from __future__ import annotations

from collections.abc import Iterable

from gm_analytics.mirror.survey import BYTES_DIFFER, REFUSED, Target
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm.grammar import ARCH, EPOCH, FILE, NAME, RELEASE, VERSION

_HEADER = r"%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
_FACTS = "\t".join(f"({one.ere})" for one in (NAME, EPOCH, VERSION, RELEASE, ARCH))

ONLY_RPMS = r"""
# Ends the script with a code of its own if find, with these arguments, meets an RPM whose name is
# none; prints the types and names. Line ends in them are replaced.
only_rpms() {
    strange=$(find "$@" -name '*.rpm' -printf '%y %f\0' | tr '\n\000' '\001\n' |
        grep -avxE "[$TYPES] ($FILE)" | head -n 5 | cut -b 1-300) || :
    [ -z "$strange" ] || { printf '%s\n' "$strange"; exit "$REFUSED"; }
}
"""
RPM = r"""
# A word that no header can hold.
secret() { od -A n -N 16 -t x1 /dev/urandom | tr -d ' \n'; }
# --nomanifest: a file that is no RPM would be read as a list of others, URLs among them.
query() { rpm -qp --nosignature --nomanifest --noglob --qf "$@"; }
"""
FACTS_OF = r"""
# Prints a line of packages.txt for each ./FILE; fails if one of them is no package, or has a
# header that none should have: that is then in $strange.
facts_of() {
    scratch=$(mktemp -d) word=$(secret) strange=
    printf '%s\n' "$@" | cut -c 3- > "$scratch/names"
    query "$word\t$HEADER" "$@" > "$scratch/headers" 2>/dev/null || :
    strange=$(grep -avxE "$word$(printf '\t')$FACTS" "$scratch/headers" |
        head -n 5 | cut -b 1-300) || :
    if [ -z "$strange" ] && [ "$(wc -l < "$scratch/headers")" -eq $# ]; then
        cut -f 2- "$scratch/headers" > "$scratch/facts"
        sha256sum -- "$@" | cut -c 1-64 > "$scratch/sums"
        stat -c %s -- "$@" > "$scratch/sizes"
        paste "$scratch/names" "$scratch/facts" "$scratch/sizes" "$scratch/sums" |
        sed "s/\$/$(printf '\t\t')/"
        rm -r "$scratch"
    else
        rm -r "$scratch"; return 1
    fi
}
"""


def guarded(text: str, name: str, *arguments: str, types: str = "f") -> Argv:
    """Give a script that has `only_rpms`, `query` and `facts_of`.

    `types` are the types, as find knows them, of which RPM files may be.
    """
    environment = {
        "FILE": FILE.ere,
        "HEADER": _HEADER,
        "FACTS": _FACTS,
        "TYPES": types,
        "REFUSED": str(REFUSED),
    }
    words = tuple(f"{key}={value}" for key, value in environment.items())
    return ("env", *words, *script(ONLY_RPMS + RPM + FACTS_OF + text, name, *arguments))


# --- inspect -------------------------------------------------------------------------------

_INSPECT = r"""
cd "$1/rpms"; pool=$2 live=$3
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
"""


def inspect(target: Target, update_id: str, live: str) -> Argv:
    """Check every file of the closure; print its state and its line of packages.txt.

    The state is `new`, `pool` (there, with the same bytes), `live` (and clients see it) or
    `differs` (there, with other bytes).
    """
    return guarded(_INSPECT, "inspect", target.staging(update_id), target.root, live)


# --- relations -----------------------------------------------------------------------------

# WORD stands for the secret word.
_RELATION = r"[WORD\t{0}\t%{{{1}NAME}}\t%{{{1}FLAGS:depflags}}\t%{{{1}VERSION}}\n]"
_RELATIONS_FORM = (
    r"WORD\tpackage\t%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n"
    + _RELATION.format("require", "REQUIRE")
    + _RELATION.format("provide", "PROVIDE")
    + r"[WORD\tfile\t%{FILENAMES}\n]"
)
_RELATIONS = r"""
cd "$1/rpms"; form=$2 weak=$3; shift 3
printf '%s\n' "$@" > ../paths
only_rpms . -mindepth 1 -maxdepth 1
set -- ./*.rpm
[ -e "$1" ] || exit 0
# A tag that rpm does not know is an error: weak dependencies came with 4.12, OPENPGP with 6.0.
rpm --querytags > ../tags
if grep -qx RECOMMENDNAME ../tags; then form=$form$weak; fi
for tag in DSAHEADER RSAHEADER SIGGPG SIGPGP OPENPGP; do
    if grep -qx "$tag" ../tags; then form="$form%|$tag?{WORD\tsigned\n}|"; fi
done
word=$(secret)
query "$(printf '%s\n' "$form" | sed "s/WORD/$word/g")" "$@" > ../relations
# A name with a line end or a tab would forge a line of its own: it has no word, or other fields.
strange=$(awk -F '\t' -v word="$word" '
    BEGIN {
        fields["package"] = fields["file"] = 3; fields["signed"] = 2
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
"""


def relations(target: Target, update_id: str, paths: Iterable[str]) -> Argv:
    """Print what each file of the closure requires, recommends and provides; if it is signed.

    Of the files that a package has, only those that another requires, and `paths`.
    """
    weak = _RELATION.format("recommend", "RECOMMEND")
    arguments = (target.staging(update_id), _RELATIONS_FORM, weak, *paths)
    return guarded(_RELATIONS, "relations", *arguments)


# --- add -----------------------------------------------------------------------------------

# link(2) never writes over a name, whoever comes between. The names in staging go at once: a
# package manager that is run again writes its downloads in place.
_ADD = r"""
root=$1; cd "$2/rpms"; differs=$3
while read -r file; do
    if [ -f "./$file" ] && [ ! -L "./$file" ]; then printf './%s\0' "$file"
    else [ -e "$root/$file" ] || { echo "$file is gone from staging" >&2; exit 1; }
    fi
done < ../new.txt > ../adding
xargs -0 -r chmod 0644 -- < ../adding
xargs -0 -r ln -t "$root" -- < ../adding 2> ../linked || :
while read -r file; do
    [ -e "./$file" ] || continue
    [ "./$file" -ef "$root/$file" ] || cmp -s "./$file" "$root/$file" || {
        if [ -e "$root/$file" ] || [ -L "$root/$file" ]; then echo "$file"; exit "$differs"; fi
        head -n 5 ../linked >&2; exit 1
    }
done < ../new.txt
xargs -0 -r rm -f -- < ../adding
"""


def add(target: Target, update_id: str) -> Argv:
    """Link the files that staging's `new.txt` lists into the pool; their names in staging go.

    One that is there with other bytes is an error. (A list, since a command has a largest size.)
    """
    staging = target.staging(update_id)
    return script(_ADD, "add", target.root, staging, str(BYTES_DIFFER))
