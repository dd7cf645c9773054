"""Where things are, as values: hosts, directories on them, and what is near enough to trust.

No I/O: a name is not looked up, so `localhost` and `127.0.0.1` are two hosts here.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, HttpUrl

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
_PORTS = 65536


def canonical_host(name: str) -> str:
    """Give a host's name or address as it is compared: case and a trailing dot do not count."""
    bare = name.lower().removeprefix("[").removesuffix("]").rstrip(".")
    try:
        return str(ip_address(bare))
    except ValueError:
        return bare


def is_loopback(name: str) -> bool:
    """Tell whether what is sent to a host stays on this machine."""
    host = canonical_host(name)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Listen:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def listen(given: object) -> Listen | None:
    """Read `HOST:PORT`; `off` is nowhere.

    Raises:
        ValueError: it is something else.

    """
    if given is None or given is False or given == "off":  # YAML reads off as false
        return None
    if isinstance(given, Listen):
        return given
    found = _LISTEN.fullmatch(str(given))
    host = canonical_host(found[1]) if found else ""
    if not found or not 0 < int(found[2]) < _PORTS:
        raise ValueError(f"found {given!r}; expected HOST:PORT, such as 127.0.0.1:8081, or off")
    return Listen("127.0.0.1" if host == "localhost" else host, int(found[2]))


def guarded(where: Listen, key: str, *, let_in: bool) -> None:
    """See that operators are told from strangers where those could come.

    Raises:
        ValueError: they could, and are not.

    """
    if not (is_loopback(where.host) or let_in):
        raise ValueError(
            f"{key}: found {where}; expected loopback (127.0.0.1 or [::1]), or in "
            "operators a token, a user or a proxy that signs people in: whoever reaches it sees "
            "all; from elsewhere use ssh -L"
        )


def canonical_directory(path: str) -> str:
    """Give an absolute path without repeated slashes, `.` and `..`; links are not followed."""
    return "/" + posixpath.normpath(path).lstrip("/")


def overlap(one: str, other: str) -> bool:
    """Tell whether two directories are the same, or one lies inside the other."""
    first, second = (canonical_directory(path).rstrip("/") + "/" for path in (one, other))
    return first.startswith(second) or second.startswith(first)


def _absolute(path: PurePosixPath) -> PurePosixPath:
    if not path.is_absolute():
        raise ValueError(f"found {str(path)!r}; expected an absolute path")
    return path


def _safe_address(url: HttpUrl) -> HttpUrl:
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("expected an address without user, query and fragment")
    if url.scheme != "https" and not is_loopback(url.host or ""):
        raise ValueError(f"found {str(url)!r}; expected https:// (http:// to loopback alone)")
    return url


ABSOLUTE = AfterValidator(_absolute)
"""Of a path on the service's host: a relative one depends on where a command is called."""
SafeUrl = Annotated[HttpUrl, AfterValidator(_safe_address)]
"""One that nobody on the network can answer for, and that holds no password."""


def word(given: object) -> object:
    """Give `on` and `off` as they were written: YAML reads truth values."""
    return ("on" if given else "off") if isinstance(given, bool) else given


def proxy(given: object) -> object:
    """Read a proxy's address, which may hold a password; `none` is that none is asked.

    Raises:
        ValueError: it is something else. It is not repeated.

    """
    if given is None or given == "none":
        return given
    text = str(given)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError("expected http://HOST:PORT (or https://) of a proxy, or none")
    return address(text)


def address(url: str) -> str:
    """Give an address whose parts can be told apart; its port is a number, for one.

    Raises:
        ValueError: they cannot. It repeats nothing, since a password may be in there.

    """
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError("expected HOST or HOST:PORT after //") from None
    return url
