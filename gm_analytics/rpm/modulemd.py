"""One document of a modules.yaml, read as if a hostile host wrote it. No I/O.

YAML's scalars are taken as text, whatever they look like: the stream `1.10` is not `1.1`. Formats:
https://github.com/fedora-modularity/libmodulemd/tree/main/yaml_specs
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gm_analytics.errors import Malformed
from gm_analytics.rpm.grammar import MODULE, PROFILE, STREAM

MAX_DEPTH = 20
"""Of mappings and lists within each other; a stream's document has six."""
MAX_TEXT = 4 * 1024 * 1024
"""Characters of one document; the largest streams have some thousand artifacts."""


@dataclass(frozen=True)
class Stream:
    """One build of a module's stream: a document `modulemd`."""

    text: str
    module: str
    stream: str
    version: str
    context: str
    arch: str
    artifacts: frozenset[str]
    """Its packages, each as name-epoch:version-release.arch."""
    requires: tuple[tuple[str, tuple[str, ...]], ...]
    """Modules that it needs, each with the streams that will do."""
    profiles: Mapping[str, tuple[str, ...]]
    """Names of packages by profiles."""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells builds apart: module, stream, version, context, architecture."""
        return self.module, self.stream, self.version, self.context, self.arch


@dataclass(frozen=True)
class Defaults:
    """Which stream of a module is active unasked, and which profiles: `modulemd-defaults`."""

    text: str
    module: str
    profiles: Mapping[str, tuple[str, ...]]
    """Names of profiles by streams."""


@dataclass(frozen=True)
class Obsoletes:
    """What else is said of a stream: `modulemd-obsoletes`, `modulemd-translations`."""

    text: str
    module: str
    stream: str


Document = Stream | Defaults | Obsoletes

# --- texts -----------------------------------------------------------------------------------

_MARK = re.compile(r"(?:---|\.\.\.)(?:[ \t\r]|\Z)")
_WORD = re.compile(r"[^\s\"',\[\]{}]+")


def split(file: bytes) -> Iterator[str]:
    """Give the documents of a modules.yaml, each with its own `---`, as they are there.

    A line that begins with `---` or `...` ends a document wherever it is, within quotes too.

    Raises:
        Malformed: it is no text in UTF-8.

    """
    try:
        lines = file.decode("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("a modules.yaml", f"byte {error.start + 1} is no UTF-8") from error
    begun: list[str] = []
    for line in (*lines, "..."):
        if not _MARK.match(line):
            begun = begun or ["---"]
            begun.append(line)
            continue
        if "".join(begun).strip(" \t\r") not in {"", "---"}:
            yield "\n".join([*begun, "...", ""])
        begun = [line] if line.startswith("-") else []


def words(text: str) -> frozenset[str]:
    """Give the words of a document, among which its names are, however they are quoted."""
    return frozenset(_WORD.findall(text))


# --- documents -------------------------------------------------------------------------------

_VERSION = re.compile(r"[0-9]{1,20}")
_ARTIFACT = re.compile(r"(.+)-(?:([0-9]+):)?([^-:]+-[^-:]+)")


def read(text: str) -> Document | None:
    """Read a document; None of one that clients pass over as well, or of another kind."""
    try:
        found = _loaded(text)
        return _KINDS[found["document"]](text, found["data"])
    except (Malformed, LookupError, TypeError, AttributeError, ValueError):
        return None


def _stream(text: str, data: Mapping[str, Any]) -> Stream:
    version, profiles = data.get("version", ""), data.get("profiles") or {}
    if version and not _VERSION.fullmatch(version):
        raise Malformed("a build's version", version[:80])
    return Stream(
        text=text,
        module=MODULE.check(data["name"]),
        stream=STREAM.check(data["stream"]),
        version=version,
        context=data.get("context", ""),
        arch=data.get("arch", ""),
        artifacts=frozenset(map(_with_epoch, _names((data.get("artifacts") or {}).get("rpms")))),
        requires=tuple(_requires(data.get("dependencies") or [])),
        profiles={
            name: _names((profile or {}).get("rpms"))
            for name, profile in profiles.items()
            if PROFILE.fits(name)
        },
    )


def _requires(dependencies: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read what version 1 has as one mapping to a stream each, and 2 as lists of them."""
    for one in [dependencies] if isinstance(dependencies, dict) else dependencies:
        for module, streams in (one.get("requires") or {}).items():
            yield module, _names([streams] if isinstance(streams, str) else streams)


def _defaults(text: str, data: Mapping[str, Any]) -> Defaults:
    profiles = {stream: _names(names) for stream, names in (data.get("profiles") or {}).items()}
    return Defaults(text, MODULE.check(data["module"]), profiles)


def _obsoletes(text: str, data: Mapping[str, Any]) -> Obsoletes:
    return Obsoletes(text, MODULE.check(data["module"]), STREAM.check(data["stream"]))


_KINDS: dict[str, Callable[[str, Any], Document]] = {
    "modulemd": _stream,
    "modulemd-defaults": _defaults,
    "modulemd-obsoletes": _obsoletes,
    "modulemd-translations": _obsoletes,
}
BESIDE = frozenset(_KINDS) - {"modulemd"}
"""Kinds of documents beside those of streams."""


def _names(found: Iterable[str] | None) -> tuple[str, ...]:
    """Give the texts of a list that may be missing, or be written as nothing."""
    return tuple(name for name in found or () if name) if not isinstance(found, str) else ()


def _with_epoch(name: str) -> str:
    """Give an artifact with the epoch that it should have."""
    found = _ARTIFACT.fullmatch(name)
    return f"{found[1]}-{found[2] or 0}:{found[3]}" if found else name


# --- YAML ------------------------------------------------------------------------------------

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _loaded(text: str) -> Any:
    """Give the one document of a text: mappings, lists and texts. By aliases it could grow.

    Raises:
        Malformed: it is none, or is too large or too deep.

    """
    if len(text) > MAX_TEXT:
        raise Malformed(f"a document of at most {MAX_TEXT:,} characters", f"{len(text):,}")
    try:
        events = iter(yaml.parse(text, Loader=_LOADER))
        _expect(events, yaml.StreamStartEvent, yaml.DocumentStartEvent)
        found = _value(events, next(events), 0)
        _expect(events, yaml.DocumentEndEvent, yaml.StreamEndEvent)
    except (yaml.YAMLError, StopIteration) as error:
        raise Malformed("YAML", str(error)[:200]) from error
    return found


def _expect(events: Iterator[yaml.Event], *kinds: type[yaml.Event]) -> None:
    for kind in kinds:
        if not isinstance(event := next(events), kind):
            raise Malformed("one document", type(event).__name__)


def _value(events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Any:
    if isinstance(event, yaml.ScalarEvent):
        return event.value
    if depth == MAX_DEPTH or isinstance(event, yaml.AliasEvent):
        raise Malformed(f"YAML of at most {MAX_DEPTH} levels, without aliases", "other")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(events, one, depth + 1) for one in _until(events, yaml.SequenceEndEvent)]
    return {
        _value(events, one, depth + 1): _value(events, next(events), depth + 1)
        for one in _until(events, yaml.MappingEndEvent)
    }


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, end):
            return
        yield event
