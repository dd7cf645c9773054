"""Which keys a host may have, by a known_hosts file as OpenSSH reads one (sshd(8)). No I/O.

paramiko's own reader knows neither wildcards nor marks, and takes one key of a kind. It checks no
certificates of hosts, so what `@cert-authority` vouches for has to be there with its own key.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import paramiko
from paramiko.hostkeys import HostKeys
from paramiko.pkey import UnknownKeyType

PORT = 22
_MARKS = frozenset({"@cert-authority", "@revoked"})
_SALTED = re.compile(r"\|1\|[A-Za-z0-9+/]{27}=\|[A-Za-z0-9+/]{27}=")
"""A name that is hashed, with its salt: SHA-1 has 20 bytes."""


@dataclass(frozen=True)
class Line:
    """A line that is about a host."""

    number: int
    mark: str
    key: Any
    """None where it cannot be read."""


@dataclass(frozen=True)
class Known:
    """What a file says of one host."""

    lines: tuple[Line, ...] = ()

    @property
    def keys(self) -> tuple[Any, ...]:
        """Those that the host may have."""
        return tuple(line.key for line in self.lines if line.key and not line.mark)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Their algorithms, which the host is asked for first."""
        return tuple(dict.fromkeys(key.get_name() for key in self.keys))

    def refusal(self, key: Any, file: str) -> str:
        """Say why a key that the host showed is refused; nothing if it is not."""
        if any(line.mark == "@revoked" and line.key == key for line in self.lines):
            return f"is revoked in {file}"
        if key in self.keys:
            return ""
        if self.keys:
            known = " or ".join(f"{one.get_name()} {one.fingerprint}" for one in self.keys)
            return f"is not the one in {file}, {known}: it has changed, or this is another host"
        if any(line.mark == "@cert-authority" for line in self.lines):
            unchecked = "certificates of hosts (@cert-authority) are not checked"
            return f"is not in {file} itself: {unchecked}"
        if broken := [str(line.number) for line in self.lines if not line.key]:
            return f"is not in {file}: what line {', '.join(broken)} has cannot be read"
        return f"is not in {file}"


def name_of(host: str, port: int) -> str:
    """Give a host as a file names it."""
    return host if port == PORT else f"[{host}]:{port}"


def find(text: str, host: str, port: int) -> Known:
    """Give what a file says of a host; of another port than 22 first that with the port."""
    for name in dict.fromkeys((name_of(host, port).lower(), host.lower())):
        if found := tuple(_about(text, name)):
            return Known(found)
    return Known()


def _about(text: str, name: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        mark = words.pop(0) if words and words[0] in _MARKS else ""
        if len(words) > 1 and not words[0].startswith("#") and _names(words[0].split(","), name):
            yield Line(number, mark, _key(words[1:]))


def _names(patterns: Iterable[str], name: str) -> bool:
    """Tell whether a list of patterns means a host: one of it does, and none with `!`."""
    found = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if _matches(bare, name):
            if bare != pattern:
                return False
            found = True
    return found


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|"):
        hashed = _SALTED.fullmatch(pattern)
        return bool(hashed) and HostKeys.hash_host(name, pattern) == pattern
    means = {"*": ".*", "?": "."}
    parts = (means.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern.lower()))
    return re.fullmatch("".join(parts), name) is not None


def _key(words: list[str]) -> Any:
    """Read the kind of a key and its base64; None if that is none, or of an unknown kind."""
    try:
        return paramiko.PKey.from_type_string(words[0], b64decode(words[1], validate=True))
    except (IndexError, ValueError, struct.error, EOFError, paramiko.SSHException, UnknownKeyType):
        return None
