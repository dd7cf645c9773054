"""Every command that is run on a mirror, as data: argv tuples made by pure functions.

Nothing here runs anything. `quote` is the one place where a command becomes text for the
remote shell. Steps of several system calls are small POSIX shell scripts, constant texts whose
parameters are arguments ("$1"), never spliced in. The layout they work on:

    ROOT/*.rpm                      the pool: a file is written once and never changed
    ROOT/repodata                   link to .publications/NNNNNN/repodata, switched by rename(2)
    ROOT/.publications/NNNNNN/      repodata/, packages.txt, publication.json, manifests.txt
    ROOT/.staging/<update id>/      half-done work
    ROOT/.cache/  ROOT/.lock        yum's cache; flock, one writer
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

Argv = tuple[str, ...]
Manager = Literal["yum3", "dnf4", "dnf5"]
Elevation = Literal["none", "userns", "helper"]

POOL_ID = "gm-pool"
"""Id of the pool where yum is offered it as a repository."""

HELPER_CACHE = "/var/cache/gm-mirror"
"""Where cookbooks/mirror_server/files/gm-mirror-helper keeps root's yum cache, for all to read."""

LOCK_HELD, OVERTAKEN, BYTES_DIFFER, STAGING_LOST = 75, 76, 77, 78
"""Exit codes of the scripts below, beside those of the programs they run."""


@dataclass(frozen=True)
class Tools:
    """The programs a mirror host has, found at run time."""

    manager: Manager
    manager_path: str
    createrepo: str
    elevation: Elevation = "none"


@dataclass(frozen=True)
class Target:
    """What a command needs to know of a mirror's configuration."""

    root: str
    reposdir: str
    releasever: str
    arch: str | None = None
    module_platform_id: str | None = None
    weak_dependencies: bool = False
    max_age: int = 600
    """Seconds for which upstream metadata counts as fresh."""
    grace_minutes: int = 60
    timeout: int = 1800
    """Seconds."""
    helper: str | None = None

    def staging(self, update_id: str, *parts: str) -> str:
        """Give a path below an update's staging directory."""
        return str(PurePosixPath(self.root, ".staging", update_id, *parts))


def quote(argv: Argv) -> str:
    """Give the text that a POSIX shell reads back as exactly these words."""
    return shlex.join(argv)


def bounded(argv: Argv, seconds: int) -> Argv:
    """Have the far side stop the command, since closing the channel would leave it running."""
    return ("timeout", "--kill-after=10", str(seconds), "env", "LC_ALL=C", *argv)


def _script(text: str, name: str, *arguments: str) -> Argv:
    return ("sh", "-euc", text, name, *arguments)


# --- facts ---------------------------------------------------------------------------------

_SURVEY = """
root=$1
for name in dnf5 dnf yum; do
    path=$(command -v "$name") && { echo "manager $(readlink -f "$path")"; break; }
done
for name in createrepo_c createrepo; do
    path=$(command -v "$name") && { echo "createrepo $path"; break; }
done
for name in flock timeout rpm sha256sum cmp; do
    command -v "$name" >/dev/null || echo "missing $name"
done
echo "uid $(id -u)"
if unshare --map-root-user true 2>/dev/null; then echo "userns yes"; fi
[ -w "$root" ] || { echo "state unwritable"; exit 0; }
echo "free $(df -Pk "$root" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
cd "$root"
if [ -L repodata ]; then
    live=$(readlink repodata); live=${live%/repodata}
    echo "state live $live"
    if [ -f "$live/manifests.txt" ]; then sed 's/^/manifest /' "$live/manifests.txt"; fi
    echo "repomd $(sha256sum < repodata/repomd.xml | cut -d ' ' -f 1)"
    if [ -f "$live/publication.json" ]; then echo publication; cat "$live/publication.json"; fi
elif [ -d repodata ]; then echo "state plain"
else echo "state empty"
fi
"""


def survey(target: Target) -> Argv:
    """Ask for the programs that are there, the free disk and the live publication."""
    return _script(_SURVEY, "survey", target.root)


@dataclass(frozen=True)
class Survey:
    """What a mirror host said of itself."""

    state: Literal["live", "plain", "empty", "unwritable"]
    tools: Tools | None
    """None if a program is missing."""
    missing: tuple[str, ...] = ()
    live: str = ""
    """The live publication's directory, relative to the root."""
    repomd: str = ""
    """SHA-256 of the live repomd.xml."""
    free: int = 0
    """Bytes."""
    manifests: tuple[str, ...] = ()
    """Digests of manifests that the live publication is known to satisfy."""
    publication: str = ""
    """publication.json, as text."""

    @classmethod
    def parse(cls, output: str, helper: bool) -> Survey:
        """Read the output of `survey`; `helper` says whether one is configured."""
        text, _, publication = output.partition("\npublication\n")
        pairs = [line.partition(" ")[::2] for line in text.splitlines()]
        facts = dict(pairs)
        missing = [value for key, value in pairs if key == "missing"]
        missing += [name for key, name in _NEEDED.items() if key not in facts]
        state, _, live = facts.get("state", "unwritable").partition(" ")
        return cls(
            state=state,  # type: ignore[arg-type]  # one of the words of the script above
            tools=None if missing else _tools(facts, helper),
            missing=tuple(missing),
            live=live,
            repomd=facts.get("repomd", ""),
            free=int(facts.get("free", 0)) * 1024,
            manifests=tuple(value for key, value in pairs if key == "manifest"),
            publication=publication,
        )


_NEEDED = {"manager": "dnf or yum", "createrepo": "createrepo_c or createrepo"}


def _tools(facts: dict[str, str], helper: bool) -> Tools:
    path = facts["manager"]
    name = PurePosixPath(path).name
    manager: Manager = "dnf5" if name == "dnf5" else "dnf4" if name.startswith("dnf") else "yum3"
    unprivileged: Elevation = "userns" if facts.get("userns") == "yes" and not helper else "helper"
    elevation: Elevation = "none" if facts.get("uid") == "0" else unprivileged
    return Tools(manager, path, facts["createrepo"], elevation)


_LOCK = """
mkdir -p "$1/.staging" "$1/.publications" "$1/.cache"
exec flock --timeout 2 --conflict-exit-code "$2" "$1/.lock" sh -c 'echo locked; exec cat'
"""


def lock(target: Target) -> Argv:
    """Take the writer's lock; print `locked`, and hold it until standard input ends.

    The channel's end is standard input's end, so the lock cannot outlive the connection.
    """
    return _script(_LOCK, "lock", target.root, str(LOCK_HELD))


_FACTS = r"%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
_CANONICAL = r"%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n"
# Prints a line of packages.txt for each file; fails if one of them is no package.
_FACTS_OF = r"""
facts_of() {
    scratch=$(mktemp -d)
    printf '%s\n' "$@" > "$scratch/names"
    rpm -qp --nosignature --qf "$FACTS" "$@" > "$scratch/facts" 2>/dev/null || :
    sha256sum -- "$@" | cut -c 1-64 > "$scratch/sums"
    stat -c %s -- "$@" > "$scratch/sizes"
    if [ "$(wc -l < "$scratch/facts")" -eq $# ]; then
        paste "$scratch/names" "$scratch/facts" "$scratch/sizes" "$scratch/sums" |
        sed "s/\$/$(printf '\t')/"
        rm -r "$scratch"
    else
        rm -r "$scratch"; return 1
    fi
}
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
    find . -mindepth 2 -name '*.rpm' -type f ! -path './.*' -exec ln -t . {} + 2>/dev/null || :
    cp -a repodata "$first.new/repodata"
    set -- *.rpm
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
    inner = _script(_FACTS_OF + _ESTABLISH, "establish", target.root, *_createrepo(tools))
    return ("env", f"FACTS={_FACTS}", f"EXCHANGE={_EXCHANGE}", *inner)


# --- resolve, download, prove ----------------------------------------------------------------

_PREPARE = """
staging=$1
mkdir -p "$staging/rpms" "$staging/pool.d" "$staging/candidate.d" "$staging/log"
printf '%s' "$2" > "$staging/pool.d/gm-pool.repo"
printf '%s' "$3" > "$staging/candidate.d/gm-pool.repo"
"""


def repo_file(base_url: str) -> str:
    """Give a yum repository file that offers a directory as the pool."""
    return (
        f"[{POOL_ID}]\nname=packages of this mirror\nbaseurl={base_url}\n"
        "enabled=1\ngpgcheck=0\ncost=1\nmetadata_expire=1\n"
    )


def prepare(target: Target, update_id: str) -> Argv:
    """Make an update's staging directory; one that is there already is kept."""
    pool = repo_file(f"file://{target.root}/")
    candidate = repo_file(f"file://{target.staging(update_id, 'candidate')}/")
    return _script(_PREPARE, "prepare", target.staging(update_id), pool, candidate)


def download(target: Target, tools: Tools, update_id: str, specs: Iterable[str]) -> Argv:
    """Solve all specs at once against an empty system and download what is not in the pool."""
    if tools.elevation == "helper":
        return (*_helper(target), "download", update_id, *specs)
    repositories = f"{target.reposdir},{target.staging(update_id, 'pool.d')}"
    base = (*_yum(target, tools, update_id, repositories), "-y")
    rpms = target.staging(update_id, "rpms")
    if tools.manager == "dnf5":
        # Its --downloadonly leaves out the check of signatures; a test transaction makes it. And
        # its `install` has no --destdir.
        return (*base, "--setopt=tsflags=test", f"--setopt=destdir={rpms}", "install", *specs)
    options = ("--downloadonly", f"--downloaddir={rpms}")
    return (*base, *options, "install", *_operands(tools, specs))


def resolve(target: Target, tools: Tools, update_id: str, specs: Iterable[str]) -> Argv:
    """Solve all specs at once against an empty system, and stop there."""
    if tools.elevation == "helper":
        return (*_helper(target), "resolve", update_id, *specs)
    repositories = f"{target.reposdir},{target.staging(update_id, 'pool.d')}"
    base = _yum(target, tools, update_id, repositories)
    return (*base, "--assumeno", "install", *_operands(tools, specs))


def makecache(target: Target, tools: Tools, update_id: str) -> Argv:
    """Read the metadata of the upstream repositories."""
    if tools.elevation == "helper":
        return (*_helper(target), "makecache", update_id)
    return (*_yum(target, tools, update_id, target.reposdir), "makecache")


def prove(target: Target, tools: Tools, update_id: str, specs: Iterable[str]) -> Argv:
    """Solve the specs for an empty system from the candidate repository alone."""
    if tools.elevation == "helper":
        return (*_helper(target), "prove", update_id, *specs)
    repositories = target.staging(update_id, "candidate.d")
    base = _yum(target, tools, update_id, repositories)
    return (*base, "--assumeno", "install", *_operands(tools, specs))


def _helper(target: Target) -> Argv:
    return ("sudo", "-n", target.helper or "", target.root)


def _yum(target: Target, tools: Tools, update_id: str, reposdir: str) -> Argv:
    elevated = ("unshare", "--map-root-user") if tools.elevation == "userns" else ()
    options = {
        "reposdir": reposdir,
        "cachedir": f"{target.root}/.cache/{tools.manager}",
        "keepcache": "1",
        "metadata_expire": str(target.max_age),
    }
    if tools.manager == "yum3":
        # skip_if_unavailable is known to repositories alone; before EL 7.3 yum warns of the other.
        options |= {"*.skip_if_unavailable": "0", "skip_missing_names_on_install": "0"}
    else:
        options |= {
            "skip_if_unavailable": "0",
            "install_weak_deps": "1" if target.weak_dependencies else "0",
            "logdir": target.staging(update_id, "log"),
            "best": "1",
        }
        if target.module_platform_id:
            options["module_platform_id"] = target.module_platform_id
    return (
        *elevated,
        tools.manager_path,
        *(("--no-plugins", "--use-host-config") if tools.manager == "dnf5" else ("--noplugins",)),
        f"--installroot={target.staging(update_id, 'root')}",
        f"--releasever={target.releasever}",
        *((f"--forcearch={target.arch}",) if target.arch and tools.manager != "yum3" else ()),
        *(f"--setopt={key}={value}" for key, value in options.items()),
    )


def _operands(tools: Tools, specs: Iterable[str]) -> Argv:
    # yum 3 would take "--" for a package name, and dnf 5 refuses it as an unknown argument; the
    # grammar of specs lets none begin with "-".
    return (*(("--",) if tools.manager == "dnf4" else ()), *specs)


_EMPTY_ROOT = """
rm -rf "$1"; mkdir -p "$1"
shift
exec "$@"
"""


def in_empty_root(target: Target, update_id: str, argv: Argv) -> Argv:
    """Run a yum command after emptying the install root it names."""
    return _script(_EMPTY_ROOT, "empty-root", target.staging(update_id, "root"), *argv)


# --- inspect, add, publish -------------------------------------------------------------------

_INSPECT = """
cd "$1/rpms"; pool=$2 live=$3
set -- *.rpm
[ -e "$1" ] || exit 0
# Signatures are yum's to judge, by the keys of its repository files; this looks for damage.
rpm -K --nosignature "$@" > ../checked 2>&1 || { grep -v '[^T] OK$' ../checked >&2; exit 1; }
rpm -qp --nosignature --qf "$CANONICAL" "$@" > ../canonical
for file; do
    read -r name
    [ "$file" = "$name" ] || mv -T "./$file" "./$name"
done < ../canonical
set -- *.rpm
facts_of "$@" > ../facts
for file; do
    if [ ! -e "$pool/$file" ]; then echo new
    elif cmp -s "./$file" "$pool/$file"; then echo pool
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
    staging = target.staging(update_id)
    inner = _script(_FACTS_OF + _INSPECT, "inspect", staging, target.root, live)
    return ("env", f"FACTS={_FACTS}", f"CANONICAL={_CANONICAL}", *inner)


_ADD = """
root=$1; cd "$2/rpms"; differs=$3
while read -r file; do
    [ -e "./$file" ] || { [ -e "$root/$file" ] && continue; }
    if [ -e "$root/$file" ]; then
        cmp -s "./$file" "$root/$file" || { echo "$file"; exit "$differs"; }
    else
        chmod 0644 "./$file"; mv -T "./$file" "$root/$file"
    fi
done < ../new.txt
"""


def add(target: Target, update_id: str) -> Argv:
    """Rename the files that staging's `new.txt` lists into the pool.

    One that is there with other bytes is an error. (A list, since a command has a largest size.)
    """
    staging = target.staging(update_id)
    return _script(_ADD, "add", target.root, staging, str(BYTES_DIFFER))


# The metadata of sets that were live within the grace period stays beside the new one's: a
# client that holds an old repomd.xml still finds what it names.
_BUILD = """
root=$1 staging=$2 base=$3 grace=$4 lost=$5; shift 5
cd "$root"
[ -f "$staging/closure.txt" ] || exit "$lost"
rm -rf "$staging/candidate"; mkdir -p "$staging/candidate"
tab=$(printf '\\t')
# Of a package that is live already its old line stays, which says where it came from.
LC_ALL=C sort -s -u -t "$tab" -k 1,1 "$base/packages.txt" "$staging/closure.txt" \
    > "$staging/candidate/packages.txt"
cut -f 1 "$staging/candidate/packages.txt" > "$staging/pkglist"
cp "$staging/publication.json" "$staging/manifests.txt" "$staging/candidate/"
for groups in "$staging/comps.xml" "$base/comps.xml"; do
    [ -f "$groups" ] || continue
    cp "$groups" "$staging/candidate/comps.xml"
    set -- "$@" --groupfile="$staging/candidate/comps.xml"
    break
done
"$@" --pkglist="$staging/pkglist" --outputdir="$staging/candidate" .
kept=$base
while [ -f "$kept/repodata/repomd.xml" ]; do
    grep -o 'href="repodata/[^"]*"' "$kept/repodata/repomd.xml" | cut -d '"' -f 2 |
    while read -r file; do
        [ -e "$staging/candidate/$file" ] || ln "$kept/$file" "$staging/candidate/$file"
    done
    [ -n "$(find "$kept/packages.txt" -mmin "-$grace")" ] || break
    number=$(expr "${kept##*/}" + 0 - 1) || break
    kept=.publications/$(printf '%06d' "$number")
done
"""


def build(target: Target, tools: Tools, update_id: str, base: str) -> Argv:
    """Write the metadata of `base` with the closure added, as a candidate in staging."""
    argv = (*_createrepo(tools), "--update", f"--update-md-path={target.root}")
    staging, grace = target.staging(update_id), str(target.grace_minutes)
    return _script(_BUILD, "build", target.root, staging, base, grace, str(STAGING_LOST), *argv)


def _createrepo(tools: Tools) -> Argv:
    base = (tools.createrepo, "--quiet", "--no-database")
    if PurePosixPath(tools.createrepo).name == "createrepo":
        return base
    # createrepo_c 1.0 and later default to zstd, which EL 7 and EL before 8.4 cannot read.
    return (*base, "--general-compress-type=gz")


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
    mv -T "$staging/link" repodata
fi
sha256sum < repodata/repomd.xml | cut -d ' ' -f 1
"""


def switch(target: Target, update_id: str, base: str, following: str) -> Argv:
    """Make the candidate live by one rename(2), if `base` still is; print repomd.xml's SHA-256."""
    staging = target.staging(update_id)
    return _script(_SWITCH, "switch", target.root, staging, base, following, str(OVERTAKEN))


_REMEMBER = """
grep -qxF -- "$2" "$1/manifests.txt" 2>/dev/null || echo "$2" >> "$1/manifests.txt"
"""


def remember(target: Target, publication: str, digest: str) -> Argv:
    """Note that a publication satisfies a manifest that it was not made for."""
    return _script(_REMEMBER, "remember", f"{target.root}/{publication}", digest)


_SWEEP = """
rm -rf "$2"
find "$1/.staging" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
"""


def sweep(target: Target, update_id: str) -> Argv:
    """Remove an update's staging directory, and those that were left behind days ago."""
    return _script(_SWEEP, "sweep", target.root, target.staging(update_id))


def packages(target: Target, publication: str) -> Argv:
    """Print the packages of a publication."""
    return ("cat", f"{target.root}/{publication}/packages.txt")


_COMPS = """
if [ -f "$1/comps.xml" ]; then cat "$1/comps.xml"; else echo '<comps/>'; fi | base64 -w 0
echo
find "$2" -name '*comps*' -type f | while read -r file; do
    case $file in
        *.gz) gzip -dc "$file" ;; *.xz) xz -dc "$file" ;; *.zst) zstd -dc "$file" ;;
        *) cat "$file" ;;
    esac | base64 -w 0
    echo
done
"""


def comps(target: Target, tools: Tools, live: str) -> Argv:
    """Print the groups files of a publication and of upstream's cached metadata, base64 lines."""
    cache = HELPER_CACHE if tools.elevation == "helper" else f"{target.root}/.cache"
    return _script(_COMPS, "comps", f"{target.root}/{live}", f"{cache}/{tools.manager}")
