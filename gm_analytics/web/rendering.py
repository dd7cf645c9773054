"""Operators' pages as text: templates, what they say of states, times and sizes, and files.

Everything is escaped, whoever wrote it: a page has no script and no style but its own two files.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gm_analytics import __version__
from gm_analytics.rpm import grammar
from gm_analytics.rpm.changes import size_text
from gm_analytics.wording import clean, counted, when

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The pages' own files and forms, and nothing within a page."""
MENU: dict[str, tuple[str, str]] = {
    "overview": ("/", "Overview"),
    "updates": ("/updates", "Updates"),
    "packages": ("/packages", "Packages"),
}
"""Which pages the head of each leads to."""
FOREVER = "private, max-age=31536000, immutable"
"""For files: another version has another name."""
_FOLDER = "operators"
_KINDS = {
    "operators.css": "text/css; charset=utf-8",
    "operators.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_PASSING = re.compile(r'( data-(?:ago|since="[^"<>]{1,40}")>)[^<]{0,40}')
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Look:
    """How a state looks: its icon, and the tone that stands beside the word."""

    icon: str
    tone: str


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "waiting": Look("waiting", "warn"),
        "running": Look("running", "busy"),
        "published": Look("good", "good"),
        "previewed": Look("eye", "good"),
        "planned": Look("plan", "good"),
        "unchanged": Look("equal", "calm"),
        "closed": Look("off", "calm"),
        "superseded": Look("skip", "calm"),
        "ignored": Look("off", "calm"),
        "cancelled": Look("stop", "calm"),
        "failed": Look("bad", "bad"),
    }
)
_KINDS_OF_PUBLICATIONS = {
    "": "taken over",
    "add": "added to what was live",
    "merge": "exactly a manifest",
    "rollback": "rolled back to",
    "repair": "repaired",
    "remove": "packages removed",
    "accept": "a change accepted",
}
_TONES = {"added": "good", "upgraded": "busy", "removed": "bad", "downgraded": "warn"}


@dataclass(frozen=True)
class File:
    """One of the pages' own files."""

    kind: str
    body: bytes


def render(name: str, /, **values: Any) -> Markup:
    """Fill a template; what it gives may be put into another one."""
    template = _environment().get_template(f"{_FOLDER}/{name}")
    return Markup(template.render(now=time.time(), **values).strip())  # noqa: S704  # autoescaped


def page(name: str, here: str = "", /, **values: Any) -> str:
    """Give a whole page; `here` is its place in the menu."""
    frame = {"menu": MENU, "version": __version__, "here": here, "asked": None}
    return str(render(name, **(frame | values)))


def file(name: str) -> File | None:
    """Give a file by the name that `asset` gave it; None if there is no such file."""
    return _files().get(name)


def digest(text: str) -> str:
    """Name what a part of a page holds, but for how long ago things are: the page counts that."""
    lasting = _PASSING.sub(r"\1", clean(text))
    return hashlib.sha256(lasting.encode()).hexdigest()[:16]


# --- what templates say ---------------------------------------------------------------------


def ago(seconds: float, now: float) -> str:
    """Say how long ago something was, or how soon it will be."""
    size = abs(now - seconds)
    if size < 5:  # noqa: PLR2004
        return "just now"
    said = _in_one_unit(size)
    return f"{said} ago" if now > seconds else f"in {said}"


def _in_one_unit(size: float) -> str:
    if size < _MINUTE:
        return f"{int(size)} s"
    if size < _HOUR:
        return f"{int(size / _MINUTE)} min"
    return f"{int(size / _HOUR)} h" if size < 2 * _DAY else f"{int(size / _DAY)} d"


def took(seconds: float) -> str:
    """Give a length of time as people say it."""
    if seconds < _MINUTE:
        return f"{max(0.0, seconds):.2f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def iso(seconds: float) -> str:
    """Give a time as HTML's `time` reads it; nothing for what is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def split_nevra(text: str) -> dict[str, str]:
    """Give a NEVRA's parts; of a text that is none, all of it is the name."""
    if not grammar.NEVRA.fits(text):
        return {"name": text, "evr": "", "arch": ""}
    rest, _, arch = text.rpartition(".")
    name, version, release = rest.rsplit("-", 2)
    return {"name": name, "evr": f"{version}-{release}", "arch": arch}


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gm_analytics.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago,
        asset=_asset,
        counted=counted,
        digest=digest,
        iso=iso,
        look=lambda state: LOOKS.get(state, Look("pending", "calm")),
        said_of_kind=lambda kind: _KINDS_OF_PUBLICATIONS.get(kind, kind),
        size=size_text,
        split_nevra=split_nevra,
        tone_of_change=lambda kind: _TONES.get(kind, "calm"),
        took=took,
        utc=when,
    )
    return environment


def _asset(name: str) -> str:
    return f"/static/{_names()[name]}"


@lru_cache
def _names() -> dict[str, str]:
    """Give each file's name with a digest of what is in it."""
    named = {}
    for name in _KINDS:
        stem, _, ending = name.rpartition(".")
        named[name] = f"{stem}.{hashlib.sha256(_bytes(name)).hexdigest()[:12]}.{ending}"
    return named


@lru_cache
def _files() -> dict[str, File]:
    return {_names()[name]: File(kind, _bytes(name)) for name, kind in _KINDS.items()}


@lru_cache
def _bytes(name: str) -> bytes:
    return (files("gm_analytics.web") / "templates" / _FOLDER / name).read_bytes()
