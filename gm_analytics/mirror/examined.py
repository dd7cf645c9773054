"""What is wrong with a mirror's host, as it says when it is looked at: commands, and values.

An update does not ask for this: it meets what is wrong, and says so in the host's words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar

_MOST = 300
"""Characters of a fact."""
_FACT = re.compile(r"([a-z]+)(?: (.*))?")
PROBE = Grammar("the name of a probe", r"gm-check\.[A-Za-z0-9]{6,20}", 40)
PLAIN, LINKED = "plain/repodata/repomd.xml", "linked/repodata/repomd.xml"


def examine(target: Target, tools: Tools | None, word: str) -> Argv:
    """Try what an update does in the root, and leave a probe there that holds a word."""
    programs = (tools.manager_path, tools.createrepo) if tools else ("", "")
    return script("mirror", "examine", target.root, word, *programs)


def unprobe(target: Target, probe: str) -> Argv:
    """Remove a probe."""
    return script("mirror", "unprobe", target.root, PROBE.check(probe))


def repositories(target: Target) -> Argv:
    """Print what upstream's repository files offer."""
    return script("mirror", "repositories", target.reposdir)


def _facts(output: str) -> Mapping[str, list[str]]:
    """Read lines WORD VALUE; what a terminal would obey is escaped."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in output.splitlines():
        if fact := _FACT.fullmatch(grammar.printable(line[:_MOST])):
            found[fact[1]].append((fact[2] or "").strip())
    return found


@dataclass(frozen=True)
class Repositories:
    """What a directory of repository files has to offer."""

    state: str = ""
    """`missing` or `closed`, else nothing."""
    unreadable: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()

    @classmethod
    def parse(cls, output: str) -> Self:
        """Read the output of `repositories`."""
        facts = _facts(output)
        state = next((word for word in ("missing", "closed") if word in facts), "")
        return cls(state, tuple(facts["unreadable"]), tuple(facts["enabled"]))

    def lacks(self, reposdir: str, account: str, *, by_root: bool) -> str:
        """Say why yum finds less there than it should, or nothing; root reads all of it."""
        if self.unreadable and not by_root:
            names = ", ".join(f"{reposdir}/{name}" for name in self.unreadable)
            return f"{account} cannot read {names}, so yum passes over it"
        if self.state == "closed" and not by_root:
            return f"{account} cannot read {reposdir}"
        if self.enabled or self.unreadable or self.state == "closed":
            return ""
        absent = f"there is no {reposdir}" if self.state == "missing" else ""
        return absent or f"no repository is enabled in {reposdir} (its files end with .repo)"


@dataclass(frozen=True)
class Examined:
    """What a host said of itself."""

    now: int = 0
    """Its clock, in seconds since the epoch."""
    account: str = ""
    manager: str = ""
    """What the program says of its version; so is the other."""
    createrepo: str = ""
    absent: str = ""
    """What is in the place of a root: `missing`, `file`, `dangling`, `closed DIRECTORY`."""
    owner: str = ""
    mode: str = ""
    inodes: int | None = None
    """That are free; None where the file system does not count them."""
    closed: tuple[tuple[str, str], ...] = ()
    """What another account made below the root: the owner and the name."""
    unreadable: str = ""
    fails: str = ""
    probe: str = ""
    """Its name below the root, if one could be made."""

    @classmethod
    def parse(cls, output: str) -> Self:
        """Read the output of `examine`."""
        facts = _facts(output)

        def one(word: str) -> str:
            return facts[word][0] if facts[word] else ""

        owner, _, mode = one("owner").partition(" ")
        closed = [tuple(value.partition(" ")[::2]) for value in facts["closed"]]
        return cls(
            now=_number(one("now")) or 0,
            account=one("account"),
            manager=one("manager"),
            createrepo=one("createrepo"),
            absent=one("root"),
            owner=owner,
            mode=mode,
            inodes=_number(one("inodes")),
            closed=tuple((who, name) for who, name in closed),
            unreadable=one("unreadable"),
            fails=one("fails"),
            probe=probe if PROBE.fits(probe := one("probe")) else "",
        )

    @staticmethod
    def version(said: str) -> tuple[int, ...]:
        """Read a version's numbers; none if there are none."""
        found = re.search(r"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?", said)
        return tuple(int(part) for part in found.groups(default="0")) if found else ()


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
