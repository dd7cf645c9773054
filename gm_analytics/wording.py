"""How texts are filled, and what is taken out of them before strangers read them. No I/O."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_KEPT = r"(?:usr|bin|sbin|lib|lib64|etc/(?!yum|dnf|pki|ssh))"
"""Where packages put files: dependencies are named by such paths."""
_INSIDE = re.compile(
    r"\b(?P<url>[a-z][a-z0-9+]{1,9}://[^\s'\"<>]+)"
    rf"|(?<![\w./+-])(?P<path>/(?!{_KEPT}\b)[\w.+@~-]+/[^\s'\":;,()]*)"
    r"|\b(?P<host>[\w.-]{1,64}@[\w.-]+\b)"
    r"|(?<![\w.:-])(?P<ip>\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?)(?![\w.-])"
    r"|(?<=host: )(?P<name>[\w.-]+)|(?<=connect to )(?P<peer>[\w.:-]+)"
)
_SAID = {"url": "(address)", "path": "(path)"}
_ENTRY = re.compile(r"://[^/\s]{1,300}@")
_NETWORK = (
    (
        r"://[^\s'\"]*\$\{?[A-Za-z_]",
        "a repository file uses a variable that the mirror's host lacks",
        "Give the variable a value on the mirror's host (/etc/dnf/vars), or write it out.",
    ),
    (
        r"[Rr]esolve proxy|[Ff]rom proxy|[Pp]roxy (?:CONNECT|handshake)|[Pp]roxy Auth|code:? 407",
        "the proxy before an upstream repository refuses, or is not there",
        "See `proxy` in dnf.conf and the repository files, and the account's `https_proxy` there.",
    ),
    (
        r"local SSL cert|[Cc]lient certificate|[Pp]rivate key|or certificate file|\(58\)|curl#58",
        "the mirror's host cannot use its client certificate for an upstream repository",
        "See that the account can read `sslclientcert` and `sslclientkey` of the repository file.",
    ),
    (
        r"SSL CA cert|\(77\)|curl#77",
        "the mirror's host cannot read the certificates that it trusts",
        "Install ca-certificates there, and see that the account can read `sslcacert`.",
    ),
    (
        r"(?:[Ss]tatus code: |HTTPS? Error )(40[13])",
        "an upstream repository answered {}",
        "See whom upstream lets in: the repository file may need a password or a certificate.",
    ),
    (
        r"(?:[Ss]tatus code: |HTTPS? Error )(404|410)",
        "an upstream repository answered {}",
        "See the address in the repository file, its variables, and `upstream.releasever`.",
    ),
    (r"(?:[Ss]tatus code: |HTTPS? Error )(\d{3})", "an upstream repository answered {}", ""),
    (
        r"[Cc]ould(?:n't| not) resolve",
        "an upstream host's name is not resolved",
        "See the name in the repository file, and the DNS of the mirror's host.",
    ),
    (r"[Tt]imed? ?out|[Tt]imeout|too slow", "an upstream repository is too slow", ""),
    (
        r"[Cc]ertificate|SSL|TLS",
        "an upstream repository's certificate is refused",
        "See the clock of the mirror's host, the CAs that it trusts, and `sslcacert`.",
    ),
    (r"[Cc]hecksum", "an upstream repository's metadata does not match its checksum", ""),
    (
        r"\(37\)|curl#37|[Cc]ouldn't (?:open|read) (?:a )?file",
        "an upstream repository on the mirror's host cannot be read",
        "See that the directory is there, and that the account can read it.",
    ),
    (r"[Cc]onnect", "an upstream repository takes no connections", ""),
)
"""What a package manager's words have, what is wrong then, and what to do: the first that fits."""


def clean(text: str) -> str:
    """Put `?` for what no database and no page takes: a lone surrogate, a NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def one_line(text: str) -> str:
    """Put a blank for what would begin a line, or a terminal take for more than text."""
    return "".join(one if one.isprintable() else " " for one in text)


def cleaned(value: Any) -> Any:
    """Give JSON values with clean texts."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {cleaned(name): cleaned(part) for name, part in value.items()}
    return type(value)(map(cleaned, value)) if isinstance(value, list | tuple) else value


def when(seconds: float) -> str:
    """Give a time in UTC, or say that it is none."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (TypeError, ValueError, OverflowError, OSError):
        return "at no known time"


def when_written(text: str) -> str:
    """Give a time that is written in ISO 8601 as `when` does; one that is none as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return when(at.timestamp()) if at.tzinfo else text


def counted(number: int, one: str, many: str = "") -> str:
    """Give a number with what it counts: `1 package`, `1,234 packages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def redact(text: str) -> str:
    """Take addresses and the mirror's own paths out of a program's words.

    Paths that packages own stay: `nothing provides /usr/bin/perl` is what an author needs.
    """
    return _INSIDE.sub(lambda found: _SAID.get(found.lastgroup or "", "(host)"), text)


def masked(text: str) -> str:
    """Take names and passwords out of addresses: they are for nobody's log or terminal."""
    return _ENTRY.sub("://…@", text)


def network_fault(words: str) -> str:
    """Say what was wrong with an upstream repository, in the service's own words."""
    return _network(words)[0] or "an upstream repository cannot be read"


def network_cure(words: str) -> str:
    """Say what to do about it; nothing where the words do not tell."""
    return _network(words)[1]


def _network(words: str) -> tuple[str, str]:
    for pattern, said, cure in _NETWORK:
        if found := re.search(pattern, words):
            return said.format(*found.groups()), cure
    return "", ""


def fill(template: str, owner: object) -> str:
    """Put attributes of `owner` into a template such as `mirror {mirror}: {words!p}`.

    `!p` redacts. The items of a list are joined by a comma, or by what stands behind the colon
    (`{problems:; }`). Braces in the values mean nothing.
    """
    return _Filler(owner).format(template).rstrip()


class _Filler(string.Formatter):
    def __init__(self, owner: object) -> None:
        self._owner = owner

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        return getattr(self._owner, str(key))

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion != "p":
            return super().convert_field(value, conversion)
        if isinstance(value, list):
            return [redact(str(item)) for item in value]
        return redact(str(value))

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, list):
            return (format_spec or ", ").join(map(str, value))
        return str(super().format_field(value, format_spec))
