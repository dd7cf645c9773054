"""What a command on a mirror needs to know: the tools found there, the target, its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal, get_args

from gm_analytics.errors import Malformed
from gm_analytics.mirror.publication import Digest, Publication
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar, lines, optional

OVERTAKEN, BYTES_DIFFER, REFUSED, SHORT_OF, UNKNOWN, UNREADABLE = 76, 77, 78, 79, 80, 81
"""Exit codes of the scripts of this room, beside those of the programs they run."""
HELPER_CACHE = "/var/cache/gm-mirror"
"""Where gm-mirror-helper keeps root's yum cache, if root cannot make a user namespace either."""
Manager = Literal["yum3", "dnf4", "dnf5"]
Elevation = Literal["none", "userns", "helper"]
State = Literal["live", "plain", "empty", "unwritable"]
Signatures = Literal["upstream", "required", "off"]


@dataclass(frozen=True)
class Tools:
    """The programs a mirror host has, found at run time."""

    manager: Manager
    manager_path: Annotated[str, grammar.ABSOLUTE_PATH.field]
    createrepo: Annotated[str, grammar.ABSOLUTE_PATH.field]
    elevation: Elevation = "none"

    @property
    def can_preview(self) -> bool:
        """Whether metadata can name packages above it: not by the Python createrepo of EL 7."""
        return PurePosixPath(self.createrepo).name == "createrepo_c"


@dataclass(frozen=True)
class Target:
    """What a command needs to know of a mirror's configuration."""

    root: str
    reposdir: str
    releasever: str
    arch: str | None = None
    module_platform_id: str | None = None
    weak_dependencies: bool = False
    signatures: Signatures = "upstream"
    """Whose are checked: those of repositories that say gpgcheck=1, all, or none."""
    max_age: int = 600
    """Seconds for which upstream metadata counts as fresh."""
    grace_minutes: int = 60
    timeout: int = 1800
    """Seconds."""
    helper: str | None = None
    withdrawn: Literal["follow", "keep"] = "follow"
    """What becomes of a live package that upstream has no more, where a set is exact."""
    filelists: bool = False
    """Whether clients read filelists, and yum does as well where it would not by itself."""
    local: tuple[str, ...] = ()
    """Ids of upstream's repositories that are directories of the host."""
    place: str | None = None
    """Where who only looks has what it needs, in place of staging and cache below the root."""

    @property
    def caches(self) -> tuple[str, str]:
        """Where yum caches upstream's metadata, in a folder for each kind of manager."""
        return self.place or f"{self.root}/.cache", HELPER_CACHE

    def staging(self, update_id: str, *parts: str) -> str:
        """Give a path below an update's staging directory."""
        if self.place:
            return str(PurePosixPath(self.place, *parts))
        return str(PurePosixPath(self.root, ".staging", update_id, *parts))

    def cache(self, manager: Manager) -> str:
        """Give the directory of a package manager's cache."""
        return f"{self.place}/cache" if self.place else f"{self.root}/.cache/{manager}"


# --- facts ---------------------------------------------------------------------------------


def survey(target: Target) -> Argv:
    """Ask for the programs that are there, the free disk and the live publication."""
    seconds = str(target.max_age)
    inner = script("mirror", "survey", target.root, seconds, target.reposdir, *target.caches)
    return ("env", f"PUBLICATION={grammar.PUBLICATION.ere}", *inner)


@dataclass(frozen=True)
class Upstream:
    """What upstream looks like by its metadata as a mirror's host has cached them."""

    state: Digest = ""
    """Changes with the metadata, and with the repository files; empty if none are cached."""
    fresh: bool = False
    """Whether all of it is younger than `max_age`."""
    solved: tuple[tuple[Digest, Digest], ...] = ()
    """Digests of manifests, each with the state in which it was found that live satisfies it."""

    def was_solved(self, manifest: str, state: str) -> bool:
        """Tell whether what is live is what a manifest means while upstream is in a state."""
        return bool(state) and (manifest, state) in self.solved


@dataclass(frozen=True)
class Asked:
    """What upstream looks like, now that yum has asked for what was too old."""

    state: Digest = ""
    failed: str = ""
    """Why it could not be asked."""


def upstream(target: Target) -> Argv:
    """Print what upstream looks like, as `Upstream.state`."""
    return script("mirror", "upstream", target.reposdir, *target.caches)


@dataclass(frozen=True)
class Survey:
    """What a mirror host said of itself."""

    state: State
    tools: Tools | None
    """None if a program is missing."""
    missing: tuple[str, ...] = ()
    live: Annotated[str, optional(grammar.PUBLICATION).field] = ""
    """The live publication's directory, relative to the root."""
    repomd: Annotated[str, optional(grammar.SHA256).field] = ""
    """SHA-256 of the live repomd.xml."""
    free: int = 0
    """Bytes."""
    manifests: tuple[str, ...] = ()
    """Digests of manifests that the live publication is known to satisfy."""
    mark: Annotated[str, optional(grammar.MARK).field] = ""
    """Of a newer merge than its own, which changed nothing."""
    publication: str = ""
    """publication.json, as text."""
    vouched: bool = True
    """Whether the key of a mirror that has one signed all of this."""
    unreadable: str = ""
    """What is wrong with publication.json."""
    upstream: Upstream | None = None
    """None of a look by an earlier version."""
    previews: int = 0
    """How many are served."""
    mirrorlist: Annotated[str, optional(grammar.TEXT).field] = ""
    """The address that its mirrorlist names; empty without one."""
    moved: bool = False
    """Whether that is another one than is configured now."""

    @classmethod
    def parse(cls, output: str, helper: bool) -> Survey:
        """Read the output of `survey`; `helper` says whether one is configured.

        Raises:
            Malformed: a fact is not what it should be.

        """
        text, described, publication = output.partition("\npublication\n")
        pairs = [line.partition(" ")[::2] for line in lines(text, "a fact of the mirror")]
        for key, value in pairs:
            if key in _FACTS:
                _FACTS[key].check(value)
        facts = dict(pairs)
        missing = [value for key, value in pairs if key == "missing"]
        missing += [name for key, name in _NEEDED.items() if key not in facts]
        word, _, live = facts.get("state", "unwritable").partition(" ")
        if word not in _STATES:
            raise Malformed(f"one of {', '.join(_STATES)}", grammar.shown(word))
        state = _STATES[word]
        if state == "live":
            grammar.PUBLICATION.check(live)
        return cls(
            state=state,
            tools=None if missing else _tools(facts, helper),
            missing=tuple(missing),
            live=live,
            repomd=facts.get("repomd", ""),
            free=int(facts.get("free", 0)) * 1024,
            manifests=tuple(value for key, value in pairs if key == "manifest"),
            mark=facts.get("mark", ""),
            upstream=_upstream(facts, pairs),
            previews=int(facts.get("previews", 0)),
            mirrorlist=facts.get("mirrorlist", ""),
            publication=publication,
            unreadable=Publication.read(publication, there=bool(described))[1],
        )


def _upstream(facts: dict[str, str], pairs: list[tuple[str, str]]) -> Upstream:
    solved = [value.partition(" ")[::2] for key, value in pairs if key == "solved"]
    return Upstream(facts.get("upstream", ""), facts.get("fresh") == "yes", tuple(solved))


_STATES: dict[str, State] = {word: word for word in get_args(State)}
_FACTS = {
    "manager": grammar.ABSOLUTE_PATH,
    "createrepo": grammar.ABSOLUTE_PATH,
    "missing": grammar.WORD,
    "uid": grammar.NUMBER,
    "free": grammar.SIZE,
    "manifest": grammar.SHA256,
    "mark": grammar.MARK,
    "previews": grammar.NUMBER,
    "mirrorlist": grammar.TEXT,
    "upstream": grammar.SHA256,
    "solved": Grammar("two SHA-256", f"{grammar.SHA256.ere} {grammar.SHA256.ere}", 129),
    "repomd": grammar.SHA256,
}
_NEEDED = {"manager": "dnf or yum", "createrepo": "createrepo_c or createrepo"}


def _tools(facts: dict[str, str], helper: bool) -> Tools:
    path = facts["manager"]
    name = PurePosixPath(path).name
    manager: Manager = "dnf5" if name == "dnf5" else "dnf4" if name.startswith("dnf") else "yum3"
    unprivileged: Elevation = "userns" if facts.get("userns") == "yes" and not helper else "helper"
    elevation: Elevation = "none" if facts.get("uid") == "0" else unprivileged
    return Tools(manager, path, facts["createrepo"], elevation)
