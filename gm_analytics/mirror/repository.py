"""The repository on a mirror host: the commands that look at it and change it, as data.

ROOT/*.rpm                      the pool: a file is written once and never changed
ROOT/RPM-GPG-KEY-gm-mirror      the key of the metadata, if they are signed
ROOT/repodata                   link to .publications/NNNNNN/repodata, switched by rename(2)
ROOT/.publications/NNNNNN/      repodata/, packages.txt, publication.json, manifests.txt
ROOT/.staging/<update id>/      half-done work
ROOT/.cache/  ROOT/.lock        yum's cache; flock, one writer
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from gm_analytics.mirror.downloads import guarded
from gm_analytics.mirror.survey import OVERTAKEN, Target, Tools
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm.grammar import METADATA, PREVIEW

# Where the pool lacks a listed file, or has a damaged one, createrepo_c 1.2 makes the metadata
# without it, as 0.17 does, and ends with 2. It is told by `status`, and refused by `prove` where
# the manifest needs it.
LEFT_OUT = """
left_out() { code=$?; [ "$code" -eq 2 ] || exit "$code"; }
"""


# --- first contact ---------------------------------------------------------------------------

# The exchange of a directory and a link is one system call where renameat2(2) is there
# (coreutils 9.5's mv, or Python's ctypes), so that no client meets a missing repodata.
_ESTABLISH = """
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
if mv --exchange -T .repodata.new repodata 2>/dev/null; then :
elif python3 -c "$EXCHANGE" .repodata.new repodata 2>/dev/null; then :
else mv -T repodata .repodata.old; mv -T .repodata.new repodata
fi
rm -rf .repodata.new .repodata.old
"""
_EXCHANGE = """
import ctypes, os, sys
AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)
old, new = (os.fsencode(name) for name in sys.argv[1:3])
sys.exit(libc.renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_EXCHANGE) and 1)
"""


def establish(target: Target, tools: Tools) -> Argv:
    """Give an empty root its first, empty publication, or adopt a plain repository as it is."""
    argv = guarded(_ESTABLISH, "establish", target.root, *_createrepo(tools), types="fl")
    return ("env", f"EXCHANGE={_EXCHANGE}", *argv)


# --- build ---------------------------------------------------------------------------------

# The metadata of sets that were live within the grace period stays beside the new one's: a
# client that holds an old repomd.xml still finds what it names.
PREVIEW_PREFIX = "../.."
"""From a preview's address to the pool's."""

_BUILD = """
root=$1 staging=$2 base=$3 grace=$4 groups=$5; shift 5
cd "$root"
rm -rf "$staging/candidate"; mkdir -p "$staging/candidate"
cut -f 1 "$staging/packages.txt" > "$staging/pkglist"
cp "$staging/packages.txt" "$staging/publication.json" "$staging/manifests.txt" \\
    "$staging/candidate/"
for file in "$staging/comps.xml" ${groups:+"$groups/comps.xml"}; do
    [ -f "$file" ] || continue
    cp "$file" "$staging/candidate/comps.xml"
    set -- "$@" --groupfile="$staging/candidate/comps.xml"
    break
done
if [ -s "$staging/pkglist" ]; then
    "$@" --pkglist="$staging/pkglist" --outputdir="$staging/candidate" . || left_out
else
    # Without packages: the Python createrepo takes an empty --pkglist for none.
    "$@" --outputdir="$staging/candidate" "$staging/candidate"
fi
kept=$base
while [ -n "$kept" ] && [ -f "$kept/repodata/repomd.xml" ]; do
    grep -aoE "href=\\"$METADATA\\"" "$kept/repodata/repomd.xml" | cut -d '"' -f 2 |
    while read -r file; do
        [ -e "$staging/candidate/$file" ] || ln "$kept/$file" "$staging/candidate/$file"
    done
    [ -n "$(find "$kept/packages.txt" -mmin "-$grace")" ] || break
    case $kept in previews/*) break ;; esac
    number=$(expr "${kept##*/}" + 0 - 1) || break
    kept=.publications/$(printf '%06d' "$number")
done
"""


def build(target: Target, tools: Tools, update_id: str, base: str, *, exact: bool) -> Argv:
    """Write the metadata of the packages in staging's `packages.txt`, as a candidate there.

    `base` is the publication that it follows; its groups stay, unless `exact`.
    """
    return _build(
        target, update_id, base, "" if exact else base, createrepo_of(tools, target.root)
    )


def rebuild(target: Target, tools: Tools, update_id: str, base: str, older: str) -> Argv:
    """Write as a candidate the metadata of an older publication anew, with the groups it had."""
    return _build(target, update_id, base, older, createrepo_of(tools, target.root))


def build_preview(target: Target, tools: Tools, update_id: str, number: int) -> Argv:
    """Write a preview's metadata as a candidate: its packages are the pool's, two levels up."""
    argv = (*createrepo_of(tools, target.root), f"--location-prefix={PREVIEW_PREFIX}")
    return _build(target, update_id, f"previews/{number}", "", argv)


def _build(target: Target, update_id: str, base: str, groups: str, argv: Argv) -> Argv:
    staging, grace = target.staging(update_id), str(target.grace_minutes)
    text = LEFT_OUT + _BUILD
    inner = script(text, "build", target.root, staging, base, grace, groups, *argv)
    return ("env", f"METADATA={METADATA.ere}", *inner)


def createrepo_of(tools: Tools, root: str) -> Argv:
    """Give the createrepo command that takes over what the live metadata say already."""
    return (*_createrepo(tools), "--update", f"--update-md-path={root}")


def _createrepo(tools: Tools) -> Argv:
    base = (tools.createrepo, "--quiet", "--no-database")
    if PurePosixPath(tools.createrepo).name == "createrepo":
        return base
    # createrepo_c 1.0 and later default to zstd, which EL 7 and EL before 8.4 cannot read.
    return (*base, "--general-compress-type=gz")


_OFFER_KEY = """
cmp -s "$2" "$1" || { chmod 0644 "$2"; mv -T "$2" "$1"; }
"""


def offer_key(target: Target, update_id: str, name: str) -> Argv:
    """Have the public key that staging has served below the root's address."""
    staged = target.staging(update_id, name)
    return script(_OFFER_KEY, "offer-key", f"{target.root}/{name}", staged)


_SWITCH = """
root=$1 staging=$2 base=$3 next=$4 overtaken=$5; cd "$root"
live=$(readlink repodata); live=${live%/repodata}
if [ "$live" = "$next" ] && cmp -s "$live/publication.json" "$staging/publication.json"; then :
else
    [ "$live" = "$base" ] || { echo "$live"; exit "$overtaken"; }
    if [ -d "$staging/candidate" ]; then
        rm -rf "$next"; mv -T "$staging/candidate" "$next"
    fi
    rm -f "$staging/link"; ln -s "$next/repodata" "$staging/link"
    sync -f "$next/repodata/repomd.xml" 2>/dev/null || :
    touch "$live"  # its time of being kept for clients that are reading it begins
    mv -T "$staging/link" repodata
fi
sha256sum < repodata/repomd.xml | cut -d ' ' -f 1
"""


def switch(target: Target, update_id: str, base: str, following: str) -> Argv:
    """Make the candidate live by one rename(2), if `base` still is; print repomd.xml's SHA-256."""
    staging = target.staging(update_id)
    return script(_SWITCH, "switch", target.root, staging, base, following, str(OVERTAKEN))


_PREVIEW_NAME = f"PREVIEW={PREVIEW.ere}"
_SWITCH_PREVIEW = """
root=$1 staging=$2 number=$3 next=$4; cd "$root"
mkdir -p previews .previews
old=$(readlink "previews/$number" | grep -axE "\\.\\./($PREVIEW)" || :)
if [ -d "$staging/candidate" ]; then
    rm -rf ".previews/$next"; mv -T "$staging/candidate" ".previews/$next"
fi
rm -f "$staging/link"; ln -s "../.previews/$next" "$staging/link"
sync -f ".previews/$next/repodata/repomd.xml" 2>/dev/null || :
mv -T "$staging/link" "previews/$number"
# What was there goes when no client can be using it any more; its time starts now.
if [ -n "$old" ] && [ "$old" != "../.previews/$next" ]; then touch "previews/$old"; fi
sha256sum < "previews/$number/repodata/repomd.xml" | cut -d ' ' -f 1
"""


def switch_preview(target: Target, update_id: str, number: int) -> Argv:
    """Make the candidate a pull request's preview by one rename(2); print its SHA-256."""
    staging, following = target.staging(update_id), f"{number}-{_opaque(update_id)}"
    arguments = (target.root, staging, str(number), following)
    return ("env", _PREVIEW_NAME, *script(_SWITCH_PREVIEW, "switch-preview", *arguments))


def _opaque(update_id: str) -> str:
    """Name what is served, and not the update: its id opens its page."""
    return hashlib.sha256(update_id.encode()).hexdigest()[:16]


_PREVIEW = """
cd "$1/previews/$2" 2>/dev/null || exit 0
sha256sum < repodata/repomd.xml | cut -d ' ' -f 1
cat publication.json
"""


def preview(target: Target, number: int) -> Argv:
    """Print the SHA-256 of a preview's repomd.xml and its publication.json, if there is one."""
    return script(_PREVIEW, "preview", target.root, str(number))


_DROP_PREVIEW = """
cd "$1"
[ -L "previews/$2" ] || exit 0
old=$(readlink "previews/$2" | grep -axE "\\.\\./($PREVIEW)" || :)
if [ -n "$old" ] && [ -d "previews/$old" ]; then touch "previews/$old"; fi
rm -f "previews/$2"
echo dropped
"""


def drop_preview(target: Target, number: int) -> Argv:
    """Stop serving a preview, and say `dropped` if there was one.

    Its directory stays for a while, so that its RPMs do, for clients that have its metadata.
    """
    return ("env", _PREVIEW_NAME, *script(_DROP_PREVIEW, "drop-preview", target.root, str(number)))


_TAKE_GROUPS = """
if [ -f "$1/comps.xml" ]; then cp "$1/comps.xml" "$2/reviewed.xml"; fi
"""


def take_groups(target: Target, update_id: str, number: int) -> Argv:
    """Put the groups that a preview names into staging."""
    preview = f"{target.root}/previews/{number}"
    return script(_TAKE_GROUPS, "take-groups", preview, target.staging(update_id))


_REMEMBER = """
grep -qxF -- "$2" "$1/manifests.txt" 2>/dev/null || echo "$2" >> "$1/manifests.txt"
if [ -n "$3" ]; then echo "$3" > "$1/mark.txt"; fi
"""


def remember(target: Target, publication: str, digest: str, mark: str) -> Argv:
    """Note that a publication satisfies a manifest that it was not made for, and which merge."""
    return script(_REMEMBER, "remember", f"{target.root}/{publication}", digest, mark)


_SWEEP = """
rm -rf "$2"
find "$1/.staging" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
# yum's copies of our own metadata: each candidate has an address of its own.
find "$1/.cache" -mindepth 2 -maxdepth 2 -name 'gm-*' -mmin +10 -exec rm -rf {} +
"""


def sweep(target: Target, update_id: str) -> Argv:
    """Remove an update's staging directory, and those that were left behind days ago."""
    return script(_SWEEP, "sweep", target.root, target.staging(update_id))


_MADE_OF = """
cd "$1"
for file in .publications/*/packages.txt .publications/*/publication.json \\
    .publications/*/comps.xml previews/*/packages.txt previews/*/publication.json; do
    if [ -f "$file" ]; then echo "$(sha256sum < "$file" | cut -c 1-64) $file"; fi
done
"""
_SUM = re.compile(r"([0-9a-f]{64}) ((?:\.publications/\d{6,12}|previews/\d{1,12})/[a-z.]{1,20})")


def made_of(target: Target) -> Argv:
    """Print the SHA-256 of what each publication and each preview is made of."""
    return script(_MADE_OF, "made-of", target.root)


def parse_made_of(output: str) -> dict[str, str]:
    """Read the output of `made_of`: digests by path."""
    matches = map(_SUM.fullmatch, output.splitlines())
    return {match[2]: match[1] for match in matches if match}


_RESEAL = """
mv -T "$2" "$1"
"""


def reseal(target: Target, publication: str, fresh: str) -> Argv:
    """Put a new statement in the place of a publication's, by one rename(2)."""
    return script(_RESEAL, "reseal", f"{target.root}/{publication}/signed.json", fresh)


def packages(target: Target, publication: str) -> Argv:
    """Print the packages of a publication."""
    return ("cat", f"{target.root}/{publication}/packages.txt")
