"""What a string of a manifest asks for: package specs, or a command as people paste it. No I/O.

A command is taken as a shell would read it: quotes, options in any place, `;` and `&&`. What is
not an installing command of yum or dnf is refused by name, since its words would be packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gm_analytics.mistakes import shown
from gm_analytics.rpm.grammar import SPEC


@dataclass(frozen=True)
class Wrong:
    """What cannot be taken, and what would be instead."""

    found: str
    expected: str


INSTEAD = "`yum install` or `dnf install` with package specs, or the specs alone"
_MANAGERS = {"yum", "dnf", "dnf-3", "dnf4", "dnf5", "microdnf"}
_PATHS = ("/usr/bin/", "/bin/", "/usr/local/bin/")

_OF_SUDO = {"-E", "-H", "-S", "-i", "-n", "--non-interactive", "--preserve-env", "--set-home"}
_SHORT = re.compile(r"-[yqvbC]{1,10}")
_OPTIONS = {
    "--allowerasing", "--assumeyes", "--best", "--cacheonly", "--downloadonly", "--nobest",
    "--nodocs", "--quiet", "--refresh", "--verbose",
}  # fmt: skip
_VALUED = {"-d", "-e", "--debuglevel", "--errorlevel", "--color"}
_VALUES = re.compile(
    r"-[de] ?[0-9]{1,2}|--(?:debuglevel|errorlevel)=[0-9]{1,2}|--color=[a-z]{1,8}"
    r"|--setopt=tsflags=nodocs"
)
"""Options that mean nothing for a mirror: what is installed in the end, and how much is told."""
_DECIDED = (
    "no option: what counts is the mirror's own configuration (its repository files, and "
    "mirrors[].upstream)"
)

_PACKAGES = {"install", "in", "install-n", "install-na", "install-nevra"}
_GROUPS = {f"{name} install" for name in ("group", "groups", "grp")} | {"groupinstall"}
_MODULES = {"module install"}
_INSTALLING = {*_PACKAGES, "groupinstall", "group", "-y"}
_OF_TWO_WORDS = {"group", "groups", "grp", "module", "copr", "history", "offline", "environment"}
_REMOVES = {"remove", "erase", "rm", "autoremove", "groupremove", "group remove", "module remove"}
_RENEWS = {
    "downgrade", "reinstall", "up", "update", "update-minimal", "upgrade", "upgrade-minimal",
}  # fmt: skip
_OTHERS = {
    "advisory", "alias", "builddep", "check", "check-update", "check-upgrade", "clean",
    "config-manager", "debuginfo-install", "deplist", "distro-sync", "distrosync", "download",
    "groupinfo", "grouplist", "groupupdate", "help", "info", "leaves", "list", "localinstall",
    "localupdate", "makecache", "mark", "needs-restarting", "provides", "repo", "repoinfo",
    "repolist", "repoquery", "reposync", "search", "shell", "swap", "system-upgrade",
    "updateinfo", "versionlock", "whatprovides",
}  # fmt: skip
_COMMANDS = _PACKAGES | _GROUPS | _MODULES | _OF_TWO_WORDS | _REMOVES | _RENEWS | _OTHERS

_STRANGERS = {
    "apk", "apt", "apt-get", "aptitude", "brew", "cargo", "conda", "cpan", "cpanm", "flatpak",
    "gem", "go", "npm", "pacman", "pip", "pip3", "pipx", "pnpm", "rpm", "rpm-ostree", "service",
    "snap", "subscription-manager", "systemctl", "yarn", "yum-config-manager", "zypper",
}  # fmt: skip
_THEIRS = {
    "add", "attach", "daemon-reload", "disable", "enable", "get", "mask", "register", "reload",
    "remove", "restart", "start", "status", "stop", "update", "upgrade",
}  # fmt: skip


def wishes(text: str) -> Iterator[str | Wrong]:
    """Give what each part of one line asks for, a spec as it is written, or why it asks nothing.

    What is no spec by its grammar is among them: that is for who asks.
    """
    parts = list(_parts(text))
    chained = any(part.chained for part in parts)
    for part in parts:
        if not part.words:
            continue
        command = _without_sudo(part.words)
        if _is_command(command):
            yield from _asked(command)
        elif chained:
            found = f"{_said(part.words)}, no command of yum or dnf beside &&"
            yield Wrong(found, f"{INSTEAD}, separated by blanks or ';'")
        elif wrong := _stranger(part.words):
            yield wrong
        else:
            yield from _listed(part.words)


# --- words ------------------------------------------------------------------------------------


class _Word(NamedTuple):
    """A word, as it stands there and as a shell reads it."""

    raw: str
    text: str


@dataclass(frozen=True)
class _Part:
    words: tuple[_Word, ...]
    chained: bool
    """Whether `&&` stands before or behind it."""


# Each alternative begins with another character, so that no text takes more than linear time.
_TOKEN = re.compile(r"""&&|;|"[^"]*"|'[^']*'|\\.|[ \t]+|[^ \t;&"'\\]+|.""", re.DOTALL)


def _parts(text: str) -> Iterator[_Part]:
    words: list[_Word] = []
    pieces: list[tuple[str, str]] = []
    chained = False

    def end_word() -> None:
        if pieces:
            words.append(_Word(*map("".join, zip(*pieces, strict=True))))
            pieces.clear()

    for found in _TOKEN.finditer(text):
        piece = found[0]
        if piece in {";", "&&"}:
            end_word()
            yield _Part(tuple(words), chained or piece == "&&")
            words, chained = [], piece == "&&"
        elif piece[0] in " \t":
            end_word()
        else:
            pieces.append((piece, _unquoted(piece)))
    end_word()
    yield _Part(tuple(words), chained)


def _unquoted(token: str) -> str:
    if len(token) > 1 and token[0] == "\\":
        return token[1:]
    return token[1:-1] if len(token) > 1 and token[0] in "\"'" else token


def _said(words: Sequence[_Word]) -> str:
    return shown(" ".join(word.raw for word in words))


# --- commands ---------------------------------------------------------------------------------


def _program(word: str) -> str:
    found = next((path for path in _PATHS if word.startswith(path)), "")
    return word[len(found) :]


def _without_sudo(words: Sequence[_Word]) -> Sequence[_Word]:
    if _program(words[0].raw) != "sudo":
        return words
    rest = next((n for n, word in enumerate(words) if n and word.raw not in _OF_SUDO), len(words))
    return words[rest:]


def _is_command(words: Sequence[_Word]) -> bool:
    """Tell a command from a list of packages, one of which may be `dnf`."""
    if len(words) < 2 or _program(words[0].raw) not in _MANAGERS:  # noqa: PLR2004  # and its verb
        return False
    return words[1].raw in _COMMANDS or words[1].raw.startswith("-")


def _asked(words: Sequence[_Word]) -> Iterator[str | Wrong]:
    """Give what a command of yum or dnf installs."""
    operands, options = _split(words[1:])
    if options:
        yield from (Wrong(f"{shown(one)}, an option", _DECIDED) for one in options)
        return
    size = 2 if operands and operands[0] in _OF_TWO_WORDS else 1
    verb, names = " ".join(operands[:size]), operands[size:]
    if verb in _PACKAGES and names:
        yield from _compared(names)
    elif verb in _GROUPS | _MODULES and names:
        yield from (name if name.startswith("@") else f"@{name}" for name in names)
    else:
        yield Wrong(f"{_said(words)}, a command {_of_what(verb)}", _instead_of(verb))


def _split(words: Iterable[_Word]) -> tuple[list[str], list[str]]:
    """Give a command's operands, and the options that cannot be left out."""
    operands: list[str] = []
    options: list[str] = []
    ended, before = False, ""
    for word in words:
        text = word.text
        taken, before = before in _VALUED and text.isalnum(), ""
        if taken:
            continue
        if ended or not text.startswith("-"):
            operands.append(text)
        elif text == "--":
            ended = True
        elif not _means_nothing(text):
            options.append(text)
        else:
            before = text
    return operands, options


def _means_nothing(option: str) -> bool:
    known = option in _OPTIONS or option in _VALUED
    return known or any(form.fullmatch(option) for form in (_SHORT, _VALUES))


def _of_what(verb: str) -> str:
    if verb in _PACKAGES | _GROUPS | _MODULES:
        return "that names nothing"
    return "that installs nothing new" if verb in _RENEWS else "other than install"


def _instead_of(verb: str) -> str:
    if verb in _REMOVES:
        return "what is to be there: what no entry asks for is left out"
    if verb in _RENEWS:
        return "`install`: the newest version is taken, or the one that is named"
    if verb in {"module enable", "module switch-to"}:
        return "`dnf module install`, or the stream as a package spec: @nodejs:20"
    if verb == "localinstall":
        return "`install` with the package's name: a mirror takes no files"
    return INSTEAD


# --- other commands, and lists of packages ----------------------------------------------------


def _stranger(words: Sequence[_Word]) -> Wrong | None:
    """Say which command this is, if it is one of another program, or has something before it."""
    rest = [word.raw for word in _without_sudo(words)]
    for number in range(1, len(words)):
        two = words[number : number + 2]
        if _is_command(two) and words[number + 1].raw in _INSTALLING:
            return Wrong(f"{_said(words[:number])}, before a command", INSTEAD)
    verb = rest[1] if len(rest) > 1 else ""
    theirs = rest and _program(rest[0]) in _STRANGERS and (verb in _THEIRS or verb[:1] == "-")
    if (verb == "install" and rest[0] != "install") or theirs:
        return Wrong(f"{_said(words)}, a command of {shown(_program(rest[0]))}", INSTEAD)
    return None


_OF_A_NAME = re.compile(r"[A-Z0-9(&.][A-Za-z0-9.+&/()-]*|and|for|in|of|on|the|to|with")
_BEGINS_A_NAME = re.compile(r"@\^?[A-Z0-9.][A-Za-z0-9._+&/-]*")


def _listed(words: Sequence[_Word]) -> Iterator[str | Wrong]:
    """Give what a list of package specs names.

    `@Development Tools` is one group: ids of groups are in lower case, and names are not.
    """
    first, *others = words
    if _BEGINS_A_NAME.fullmatch(first.raw) and all(_OF_A_NAME.fullmatch(w.raw) for w in others):
        yield " ".join(word.raw for word in words)
    else:
        yield from _compared([word.text if word.text[:1] == "@" else word.raw for word in words])


_COMPARED = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._+():-]*)?([<>=~^!]?=|[<>])([0-9v][^=<>]*)?")


def _compared(words: Sequence[str]) -> Iterator[str | Wrong]:
    """Give words as they are, but for a package's name, a comparison and a version."""
    kept: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        found = _COMPARED.fullmatch(word) if len(word) <= SPEC.longest else None
        ahead = words[index + 1] if index + 1 < len(words) else ""
        version = (found[3] or (ahead if ahead[:1].isdigit() else "")) if found else ""
        if found and version and (found[1] or kept):
            name = found[1] or kept.pop()
            yield from kept
            kept = []
            yield _wrong_version(name, found[2], version)
            index += 0 if found[3] else 1
        else:
            kept.append(word)
        index += 1
    yield from kept


def _wrong_version(name: str, operator: str, version: str) -> Wrong:
    found = f"{shown(f'{name} {operator} {version}')}, a comparison"
    spec = f"{name}-{version}"
    if "(" in name or not SPEC.fits(spec):
        return Wrong(found, f"{name} alone: the newest version is taken")
    if operator in {"=", "=="}:
        return Wrong(found, spec)
    return Wrong(found, f"{name} (the newest version is taken), or one version: {spec}")
