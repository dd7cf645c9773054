"""What a mirror keeps of its past: listed, called back, and removed. Commands as data; no I/O.

`retention` decides what is removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.repository import LEFT_OUT, createrepo_of
from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.mirror.yum import repo_file
from gm_analytics.remote.commands import Argv, script

# A few processes however many publications there are; grep -H puts the path before each line.
_HISTORY = """
cd "$1"
echo "now $(date +%s)"
if [ -L repodata ]; then echo "live $(readlink repodata)"; fi
for kind in publications previews; do
    [ -d ".$kind" ] || continue
    find ".$kind" -mindepth 1 -maxdepth 1 -type d -printf 'left %T@ %p\\n'
    find ".$kind" -mindepth 2 -maxdepth 2 -name packages.txt -printf 'made %T@ %p\\n'
    wc -l ".$kind"/*/packages.txt 2>/dev/null | sed 's/^ */count /'
    grep -s -H '' ".$kind"/*/publication.json ".$kind"/*/manifests.txt || :
done
if [ -d previews ]; then find previews -maxdepth 1 -type l -printf 'served 0 %l\\n'; fi
"""
_HELD = r"(\.(?:publications|previews)/[^/\s]+)"
_FACT = re.compile(rf"(made|left|count|served) ([\d.]+) (?:\.\./)?{_HELD}(?:/packages\.txt)?")
_LINE = re.compile(rf"{_HELD}/(publication\.json|manifests\.txt):(.*)")
_NUMBER = re.compile(r"\.publications/(\d{6,})|\.previews/(\d+)-.*")


def history(target: Target) -> Argv:
    """Print what `History.parse` reads: every publication and every preview that is there."""
    return script(_HISTORY, "history", target.root)


@dataclass(frozen=True)
class Held:
    """A publication or a preview that a mirror holds; times in seconds since the epoch."""

    directory: str
    """Relative to the mirror's root."""
    number: int
    """Its own, or the pull request's of a preview."""
    served: bool
    """Whether it is live or, of a preview, linked."""
    packages: int
    made_at: float
    left_at: float
    """When it ceased to be served; the switch and the drop of a preview touch the directory."""
    publication: Publication | None = None
    """None of a repository that was taken over."""
    manifests: tuple[str, ...] = ()
    """Digests of the manifests that it satisfies."""

    @property
    def is_preview(self) -> bool:
        """Whether it is a preview's."""
        return self.directory.startswith(".previews/")

    @property
    def when(self) -> str:
        """UTC, ISO 8601."""
        if self.publication and self.publication.published_at:
            return self.publication.published_at
        return datetime.fromtimestamp(self.made_at, UTC).isoformat(timespec="seconds")

    @property
    def what(self) -> str:
        """Say what made it: a pull request and its update, a rollback, a person."""
        made = self.publication
        if made is None:
            return "as it was found"
        if made.kind == "rollback":
            return f"rollback to {made.restores}"
        return " ".join(filter(None, (made.repository, made.update_id)))


@dataclass(frozen=True)
class History:
    """What a mirror holds, oldest first; `now` is the mirror's own clock."""

    now: float
    publications: tuple[Held, ...] = ()
    """Up to the live one: a candidate that was never switched to is no publication."""
    previews: tuple[Held, ...] = ()

    @classmethod
    def parse(cls, output: str) -> History:
        """Read the output of `history`."""
        facts: dict[str, dict[str, str]] = {}
        now, live = "0", ""
        for line in output.splitlines():
            if match := _FACT.fullmatch(line):
                key, value, path = match.groups()
                facts.setdefault(path, {})[key] = value
            elif match := _LINE.fullmatch(line):
                path, file, text = match.groups()
                known = facts.setdefault(path, {})
                known[file] = known.get(file, "") + text + "\n"
            elif line.startswith("now "):
                now = line.removeprefix("now ")
            elif line.startswith("live "):
                live = line.removeprefix("live ").removesuffix("/repodata")
        facts.setdefault(live, {})["served"] = "0"
        held = [_held(path, known) for path, known in facts.items() if _NUMBER.fullmatch(path)]
        held.sort(key=lambda one: (one.number, one.made_at))
        newest = Publication.number_of(live) if live else 0
        return cls(
            float(now),
            tuple(one for one in held if not one.is_preview and one.number <= newest),
            tuple(one for one in held if one.is_preview),
        )

    @property
    def live(self) -> Held | None:
        """The live publication."""
        return next((one for one in self.publications if one.served), None)

    def before_live(self) -> Held | None:
        """Give the newest publication that is kept of those before the live one."""
        older = [one for one in self.publications if not one.served]
        return older[-1] if older else None

    def find(self, number: int) -> Held | None:
        """Give a publication by its number."""
        return next((one for one in self.publications if one.number == number), None)


def _held(directory: str, facts: dict[str, str]) -> Held:
    match = _NUMBER.fullmatch(directory)
    assert match is not None  # noqa: S101  # as `History.parse` has filtered
    return Held(
        directory=directory,
        number=int(match[1] or match[2]),
        served="served" in facts,
        packages=int(facts.get("count", 0)),
        made_at=float(facts.get("made", 0)),
        left_at=float(facts.get("left", 0)),
        publication=Publication.parse(facts.get("publication.json", "")),
        manifests=tuple(facts.get("manifests.txt", "").split()),
    )


_MISSING = """
cd "$1"
cut -f 1 "$2/packages.txt" | while read -r file; do
    [ -e "./$file" ] || echo "$file"
done
"""


def missing(target: Target, publication: str) -> Argv:
    """Print the files of a publication's packages that the pool lacks."""
    return script(_MISSING, "missing", target.root, publication)


# --- a lock file's RPMs --------------------------------------------------------------------

LOCKED = "locked.txt"
"""List in staging of a lock file's RPM files."""

_SUMS = """
cd "$1"
while read -r file; do
    if [ -f "./$file" ]; then printf '%s\\0' "$file"; fi
done < "$2/locked.txt" | xargs -0 -r sha256sum --
"""


def sums(target: Target, update_id: str) -> Argv:
    """Print the SHA-256 and the name of each file of staging's `locked.txt` that the pool has."""
    return script(_SUMS, "sums", target.root, target.staging(update_id))


_OFFER = """
root=$1 staging=$2 text=$3; shift 3; cd "$root"
rm -rf "$staging/locked"; mkdir -p "$staging/locked"
"$@" --pkglist="$staging/locked.txt" --outputdir="$staging/locked" . || left_out
{ printf '%s' "$text"; grep '^gpgkey=' "$staging/pool.d/gm-pool.repo" || :; } \\
    > "$staging/pool.d/gm-locked.repo"
"""


def offer(target: Target, tools: Tools, update_id: str) -> Argv:
    """Offer the files of staging's `locked.txt` to yum: no publication may name them now."""
    staging = target.staging(update_id)
    text = repo_file(f"file://{staging}/locked/", "gm-locked")
    createrepo = (*createrepo_of(tools, target.root), "--location-prefix=../../..")
    return script(LEFT_OUT + _OFFER, "offer", target.root, staging, text, *createrepo)


# --- removal -------------------------------------------------------------------------------

KEPT, GONE, DROPPED, RPMS = "kept.txt", "gone.txt", "dropped.txt", "rpms.txt"
"""Lists in staging, since a command has a largest size: directories, numbers, RPM files."""

# Only what nothing names is printed, so that a pool of ten thousand files is compared where it
# lies. The closures of unfinished updates count as named.
_UNNAMED = """
root=$1 staging=$2; cd "$root"
[ -s "$staging/kept.txt" ]
weight() { tr '\\n' '\\0' | du -scb --files0-from=- | tail -n 1 | cut -f 1; }
while read -r directory; do cut -f 1 "$directory/packages.txt"; done \\
    < "$staging/kept.txt" > "$staging/named"
for file in .staging/*/facts .staging/*/packages.txt; do
    if [ -f "$file" ]; then cut -f 1 "$file" >> "$staging/named"; fi
done
find . -maxdepth 1 -name '*.rpm' -type f -printf '%f\\t%s\\t%T@\\n' > "$staging/pool"
awk -F '\\t' '
    FILENAME == ARGV[1] { named[$1]; next }
    { size += $2 }
    !($1 in named) { print }
    END { printf "size\\t%.0f\\n", size }' "$staging/named" "$staging/pool"
printf 'before\\t%s\\n' "$(cat "$staging/kept.txt" "$staging/gone.txt" | weight)"
printf 'after\\t%s\\n' "$(weight < "$staging/kept.txt")"
"""


def unnamed(target: Target, update_id: str) -> Argv:
    """Print what `Pool.parse` reads: the RPMs that none of staging's `kept.txt` names."""
    return script(_UNNAMED, "unnamed", target.root, target.staging(update_id))


@dataclass(frozen=True)
class Pooled:
    """An RPM file of the pool."""

    file: str
    size: int
    """Bytes."""
    added_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Pool:
    """What the pool holds that nothing kept names, and sizes in bytes."""

    unnamed: tuple[Pooled, ...]
    size: int
    """Of all RPMs."""
    metadata_before: int
    metadata_after: int
    """Without those that go."""

    @classmethod
    def parse(cls, output: str) -> Pool:
        """Read the output of `unnamed`."""
        rows = [line.split("\t") for line in output.splitlines()]
        sizes = {row[0]: int(row[1]) for row in rows if len(row) == 2}  # noqa: PLR2004
        rpms = [Pooled(row[0], int(row[1]), float(row[2])) for row in rows if len(row) != 2]  # noqa: PLR2004
        rpms.sort(key=lambda rpm: rpm.file)
        return cls(tuple(rpms), sizes["size"], sizes["before"], sizes["after"])


# A directory leaves by one rename, so that none is ever half there.
_COLLECT = """
root=$1 staging=$2; cd "$root"
live=$(readlink repodata)
while read -r number; do
    touch "previews/$(readlink "previews/$number")"
    rm -f "previews/$number"
done < "$staging/dropped.txt"
while read -r directory; do
    [ "$directory/repodata" != "$live" ]
    rm -rf "$staging/gone"
    mv -T "$directory" "$staging/gone"
    rm -rf "$staging/gone"
done < "$staging/gone.txt"
while read -r file; do rm -f "./$file"; done < "$staging/rpms.txt"
"""


def collect(target: Target, update_id: str) -> Argv:
    """Remove what staging lists: previews' links, then directories, then RPMs they named."""
    return script(_COLLECT, "collect", target.root, target.staging(update_id))
