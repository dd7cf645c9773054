"""What a candidate repeats of metadata beside packages: groups, advisories, modules. No I/O.

Each is made of upstream's current documents for each publication. What a repository that was taken
over brought along is a second source, of all that follows but of an exact set; upstream's counts
where both know an id.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from gm_analytics import errors
from gm_analytics.mirror.publication import Built
from gm_analytics.mirror.records import Document, Origin, Records, Source
from gm_analytics.rpm import comps
from gm_analytics.rpm.advisories import Advisory, Listing, choose, document
from gm_analytics.rpm.modules import Modules
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.streams import artifact
from gm_analytics.rpm.strict import Malformed
from gm_analytics.rpm.versions import Versioned

OWN = ("group", "updateinfo", "modules")
"""Kinds that are made for each candidate; others of an adopted repository go on as they are."""
FILES = {"updateinfo": "updateinfo.xml.gz", "modules": "modules.yaml.gz"}
T = TypeVar("T")
log = logging.getLogger(__name__)
_PUBLISHED: tuple[Origin, ...] = ("reviewed", "served", "adopted")


@dataclass(frozen=True)
class Carried:
    """The documents of a candidate, their content as it is."""

    groups: bytes | None = None
    documents: dict[str, bytes] = field(default_factory=dict)
    """By the kind."""
    adopted: Source = field(default_factory=lambda: Source("adopted"))
    """What goes on being the second source."""

    def files(self) -> dict[str, bytes]:
        """Give what build.sh takes from staging, by name."""
        files = {} if self.groups is None else {"comps.xml": self.groups}
        types = dict.fromkeys(files, "group")
        for kind, content in self.documents.items():
            types[FILES[kind]] = kind
            # Without a time, so that the same content is the same file.
            files[FILES[kind]] = gzip.compress(content, 6, mtime=0)
        adopted = {
            one.name: one.type if one.kind not in OWN else "" for one in self.adopted.documents
        }
        return {**files, "records.txt": _list(types), "adopted.txt": _list(adopted)}

    def built(self) -> Built:
        """Give what the service knows of it, for the signature."""
        files = {kind: _digests(content) for kind, content in self.documents.items()}
        files |= {
            one.type: _digests(one.content, *_opened(one))
            for one in self.adopted.documents
            if one.kind not in OWN
        }
        adopted = self.adopted.digest if self.adopted.documents else ""
        return Built(_digest(self.groups) if self.groups is not None else "", files, adopted)


def carry(
    records: Records,
    packages: Iterable[Package],
    specs: Iterable[str],
    chosen: Iterable[Advisory],
    *,
    exact: bool,
) -> Carried:
    """Give the documents of what follows a publication; `chosen` are its advisories.

    Raises:
        errors.Malformed, strict.Malformed: one of the documents is none.

    """
    adopted = Source("adopted") if exact else records.of("adopted")
    documents = _updateinfo(chosen)
    if modules := modules_of(records).carried([artifact(package) for package in packages]):
        documents["modules"] = modules.encode()
    return Carried(_groups(records, specs, exact=exact), documents, adopted)


def modules_of(records: Records) -> Modules:
    """Give the documents of modules: upstream's, and of what it has no more what was published."""
    older = (records.of(origin).find("modules") for origin in _PUBLISHED)
    current = [one.text() for one in records.upstreams("modules")]
    return Modules(current, [one.text() for one in older if one])


def again(records: Records, chosen: Iterable[Advisory] | None) -> Carried:
    """Give the documents of a publication, to be published again. Raises as `carry`.

    Its advisories are those of `chosen`, or all as they are.
    """
    served = records.of("served")
    groups = served.find("group")
    kept = {kind: found.text() for kind in FILES if (found := served.find(kind))}
    if chosen is not None:
        kept.pop("updateinfo", None)
        kept |= _updateinfo(chosen)
    return Carried(groups.text() if groups else None, kept, records.of("adopted"))


def advisories(
    records: Records,
    packages: Iterable[Versioned],
    read: Callable[[Document], Listing],
    *,
    exact: bool,
) -> tuple[Advisory, ...]:
    """Give the advisories of what serves these packages. Raises as `carry`."""
    current = records.upstreams("updateinfo")
    # What was reviewed counts only where upstream cannot be asked.
    older = [] if current else [records.of("reviewed")]
    older += [] if exact else [records.of("adopted")]
    others = [found for one in older if (found := one.find("updateinfo"))]
    return choose(map(read, current), _readable(others, read), packages)


def _updateinfo(chosen: Iterable[Advisory]) -> dict[str, bytes]:
    content = document(chosen)
    return {} if content is None else {"updateinfo": content}


def _groups(records: Records, specs: Iterable[str], *, exact: bool) -> bytes | None:
    """Give the groups that are named and, unless `exact`, those that are served already."""
    served = records.of("served").find("group")
    wanted = {spec[1:] for spec in specs if spec.startswith("@")}
    published = [one for one in (records.of("reviewed").find("group"), served) if one]
    others = dict(_readable(published, lambda one: (one.name, _comps(one))))
    kept = others.get(served.name) if served and not exact else None
    if not wanted and kept is None:
        return None
    current = [one.text() for one in records.upstreams("group")]
    return comps.merge(current, others.values(), wanted, kept)


def _comps(document: Document) -> bytes:
    text = document.text()
    comps.read(text)
    return text


def _readable(documents: Iterable[Document], read: Callable[[Document], T]) -> Iterator[T]:
    """Read what was published; of a repository that was taken over it may be anything."""
    for one in documents:
        try:
            yield read(one)
        except (errors.Malformed, Malformed) as error:
            log.warning("%s of what was published is left out: %s", one.type, error)


def _list(types: Mapping[str, str]) -> bytes:
    return "".join(f"{name}\t{kind}\n" for name, kind in types.items()).encode()


def _opened(document: Document) -> Iterator[bytes]:
    """Give what is in a document of another program, if that can be told."""
    with suppress(Malformed):
        yield document.text()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digests(*contents: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_digest, contents)))
