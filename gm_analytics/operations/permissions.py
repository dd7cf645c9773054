"""Who can change, or read, the files that the service relies on: modes and owners.

`judge` decides from values; the rest asks the file system. At a start what is `fatal` is refused;
`check` says all of it. Groups are trusted where the layout of two accounts needs them: to read
the configuration and secrets, and to write the store.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gm_analytics import settings
from gm_analytics.engine import lock_files
from gm_analytics.errors import UnsafeFiles
from gm_analytics.remote.commands import quote

MOST_KEYS = 100
"""Files of a signing home that are looked at."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """What is asked of one kind of file. The bits are those of a mode."""

    writers: int = 0o022
    """Who may not write."""
    readers: int = 0
    """Who may not read, nor anything else."""
    secret: bool = True
    """Whether being read is fatal."""
    shared: bool = False
    """Whether another account may own it, and write it, through a group of this account's."""
    sticky: bool = False
    """Whether all may write it if it is sticky, as /tmp is."""


CONFIG, SECRET = Rule(), Rule(readers=0o007)
HOME = Rule(readers=0o077)
"""A signing home, and its private keys: GnuPG's own rule."""
STORE = Rule(writers=0o002, readers=0o004, secret=False, shared=True)
STORE_DIRECTORY = Rule(writers=0o002, shared=True)
LOCKS = Rule(readers=0o077)
PARENT = Rule(writers=0o002, shared=True, sticky=True)


@dataclass(frozen=True)
class Found:
    """A file as stat(2) tells of it."""

    path: Path
    uid: int
    gid: int
    mode: int
    """With the file's type."""


@dataclass(frozen=True)
class Account:
    """Who relies on the files."""

    name: str
    uid: int
    groups: frozenset[int]
    judges_owners: bool = True
    """Not of root who checks what another account runs."""

    def trusts(self, found: Found, rule: Rule) -> bool:
        """Tell whether the owner is one who can harm nobody by it."""
        own = found.uid in {0, self.uid} or not self.judges_owners
        return own or (rule.shared and self.shares(found))

    def shares(self, found: Found) -> bool:
        """Tell whether the file's group is one of this account's."""
        return found.gid in self.groups or not self.judges_owners


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a file, and the command that mends it."""

    path: Path
    said: str
    mend: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.said}: {self.mend}"


def judge(found: Found, rule: Rule, account: Account) -> list[Flaw]:
    """Say what is wrong with a file of a kind."""
    if stat.S_ISLNK(found.mode):
        return [Flaw(found.path, "it is a symbolic link", quote(("rm", str(found.path))))]
    return [
        flaw
        for flaw in (
            _of_owner(found, rule, account),
            _of_writers(found, rule, account),
            _of_readers(found, rule),
        )
        if flaw
    ]


def _of_owner(found: Found, rule: Rule, account: Account) -> Flaw | None:
    if rule is PARENT or account.trusts(found, rule):
        return None  # who owns a parent can put another file there, and that has an owner
    said = f"it belongs to the account {found.uid}, which can change it"
    mend = ("rm", "-r") if rule is LOCKS else ("chown", account.name)
    return Flaw(found.path, said, quote((*mend, str(found.path))))


def _of_writers(found: Found, rule: Rule, account: Account) -> Flaw | None:
    forbidden = rule.writers
    if rule.shared and rule is not PARENT and not account.shares(found):
        forbidden |= 0o020
    if not found.mode & forbidden or (rule.sticky and found.mode & stat.S_ISVTX):
        return None
    who = "everybody" if found.mode & 0o002 else f"the group {found.gid}"
    return Flaw(found.path, f"{who} can write it", _chmod(found, forbidden | rule.readers))


def _of_readers(found: Found, rule: Rule) -> Flaw | None:
    if not found.mode & rule.readers:
        return None
    who = "everybody" if found.mode & rule.readers & 0o007 else f"the group {found.gid}"
    said = f"{who} can read it (mode {found.mode & 0o7777:04o})"
    return Flaw(found.path, said, _chmod(found, rule.writers | rule.readers), rule.secret)


def _chmod(found: Found, without: int) -> str:
    return quote(("chmod", f"{found.mode & 0o7777 & ~without:04o}", str(found.path)))


# --- the file system --------------------------------------------------------------------------


def look(config: settings.Settings, *, as_check: bool = False) -> tuple[Flaw, ...]:
    """Judge all files of a configuration that this account uses; what is missing is not a flaw."""
    account = _account(judges_owners=not (as_check and os.geteuid() == 0))
    files = list(_files(config))
    flaws = [
        flaw
        for path, rule in [*files, *_parents(path for path, _ in files)]
        if (found := _stat(path, follow=rule is not LOCKS))
        for flaw in judge(found, rule, account)
    ]
    return tuple(dict.fromkeys(flaws))


def require(config: settings.Settings) -> None:
    """See that nobody else can change what the service relies on, or read its secrets.

    Raises:
        UnsafeFiles: somebody can; each file is named, with the command that mends it.

    """
    flaws = look(config)
    for flaw in flaws:
        if not flaw.fatal:
            log.warning("%s", flaw)
    if fatal := [str(flaw) for flaw in flaws if flaw.fatal]:
        raise UnsafeFiles(str(config.files.config) if config.files else "given", fatal)


def _account(*, judges_owners: bool) -> Account:
    uid = os.geteuid()
    with suppress(KeyError):
        name = pwd.getpwuid(uid).pw_name
        return Account(name, uid, frozenset({os.getegid(), *os.getgroups()}), judges_owners)
    return Account(str(uid), uid, frozenset({os.getegid(), *os.getgroups()}), judges_owners)


def _files(config: settings.Settings) -> Iterator[tuple[Path, Rule]]:
    if files := config.files:
        yield files.config, SECRET if files.has_secrets else CONFIG
        # Of two accounts each has secrets that the other cannot read, and does not rely on.
        yield from ((path, SECRET) for path in files.secrets if os.access(path, os.R_OK))
    if config.github.ca_file:
        yield config.github.ca_file, CONFIG
    for mirror in config.mirrors:
        if mirror.ca_file:
            yield mirror.ca_file, CONFIG
        if os.access(mirror.identity_file, os.R_OK):
            yield mirror.identity_file, SECRET
            yield mirror.known_hosts, CONFIG
            yield from _of_jump(mirror.jump) if mirror.jump else ()
            yield from _signing(mirror.signing_home) if mirror.signing_home else ()
    if not config.database_url.startswith("sqlite:///"):
        yield lock_files.directory(), LOCKS
        return
    database = Path(config.database_url.removeprefix("sqlite:///"))
    yield database.parent, STORE_DIRECTORY
    for end in ("", "-wal", "-shm"):
        yield database.with_name(database.name + end), STORE


def _of_jump(jump: settings.Jump) -> Iterator[tuple[Path, Rule]]:
    if jump.identity_file:
        yield jump.identity_file, SECRET
    if jump.known_hosts:
        yield jump.known_hosts, CONFIG


def _signing(home: Path) -> Iterator[tuple[Path, Rule]]:
    yield home, HOME
    with suppress(OSError):
        keys = home / "private-keys-v1.d"
        yield keys, HOME
        yield from ((path, HOME) for path in sorted(keys.iterdir())[:MOST_KEYS])


def _parents(paths: Iterable[Path]) -> Iterator[tuple[Path, Rule]]:
    """Give the directories above, in which another file could be put in one's place."""
    known = {parent for path in paths for parent in (*path.parents, *path.resolve().parents)}
    return ((path, PARENT) for path in sorted(known))


def _stat(path: Path, *, follow: bool) -> Found | None:
    try:
        found = path.stat(follow_symlinks=follow)
    except OSError:
        return None
    return Found(path, found.st_uid, found.st_gid, found.st_mode)
