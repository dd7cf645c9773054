"""Module streams: the part of upstream's modules.yaml that a mirror must repeat. No I/O.

A client installs an RPM of a stream only if some repository has the stream's document, which names
the RPM among its artifacts. Documents are carried as upstream wrote them. `modulemd` reads one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from gm_analytics.errors import Malformed
from gm_analytics.rpm import modulemd
from gm_analytics.rpm.modulemd import Defaults, Document, Obsoletes, Stream
from gm_analytics.rpm.streams import Asked

MAX_BYTES = 128 * 1024 * 1024
"""Of one modules.yaml; AppStream of EL 8 has the largest, with some 10 MB."""
MAX_DOCUMENTS = 20_000
"""Of all files together."""
MAX_NEAR = 6
"""How many streams or profiles are told where another is asked for."""
PLATFORM = "platform"
"""The pseudo module that says which release a stream was built for."""


class Modules:
    """The documents of some modules.yaml files, of which few are read.

    `older` ones are what was published before: they count for a build, or for what else is said of
    a module, of which the others have nothing.
    """

    def __init__(self, files: Iterable[bytes] = (), older: Iterable[bytes] = ()) -> None:
        """Take the files apart.

        Raises:
            Malformed: one is no text, or they are too large.

        """
        texts = dict.fromkeys(_documents(files))
        self._current = frozenset(texts)
        texts |= dict.fromkeys(_documents(older))
        if len(texts) > MAX_DOCUMENTS:
            found = f"{len(texts):,}"
            raise Malformed(f"at most {MAX_DOCUMENTS:,} documents of modules", found)
        self._texts = tuple(texts)
        self._read: dict[str, Document | None] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def _with_words(self, *words: Collection[str]) -> Iterator[Document]:
        """Read the documents that have a word of each collection: reading all takes long."""
        wanted = [frozenset(one) for one in words]
        for text in self._texts:
            there = modulemd.words(text)
            if any(one.isdisjoint(there) for one in wanted):
                continue
            if text not in self._read:
                self._read[text] = modulemd.read(text)
            if (found := self._read[text]) is not None:
                yield found

    def streams(self, modules: Collection[str]) -> tuple[Stream, ...]:
        """Give all builds of all streams of some modules."""
        found = self._with_words(modules, {"modulemd"})
        return tuple(one for one in found if isinstance(one, Stream) and one.module in modules)

    def said(self, modules: Collection[str]) -> list[Defaults | Obsoletes]:
        """Give what upstream says of modules; of one that it is silent of, what was published."""
        found = [
            one
            for one in self._with_words(modules, modulemd.BESIDE)
            if not isinstance(one, Stream) and one.module in modules
        ]
        current = {one.module for one in found if one.text in self._current}
        return [one for one in found if one.text in self._current or one.module not in current]

    def holding(self, artifacts: Collection[str]) -> tuple[Stream, ...]:
        """Give the streams that one of these packages is of: one document of each build.

        Where upstream's repositories have several of one, the one with most of the packages: a
        repository, as the mirror is, can have no two.
        """
        wanted, best = frozenset(artifacts), dict[tuple[str, ...], Stream]()
        spelled = wanted | {name.replace("-0:", "-", 1) for name in wanted}
        for one in self._with_words(spelled):
            if not isinstance(one, Stream) or not (covered := len(one.artifacts & wanted)):
                continue
            if one.key not in best or covered > len(best[one.key].artifacts & wanted):
                best[one.key] = one
        return tuple(best.values())

    def lacking(self, artifacts: Collection[str]) -> tuple[str, ...]:
        """Give those of these packages that no document names."""
        known = {name for one in self.holding(artifacts) for name in one.artifacts}
        return tuple(name for name in artifacts if name not in known)

    def carried(self, artifacts: Collection[str]) -> str:
        """Give the modules.yaml of a set of packages; empty if no stream is in it.

        It has the streams that a package is of, those without which they cannot be enabled, and
        what else upstream says of these: defaults, obsoletes, translations.
        """
        streams = self._with_needed(self.holding(artifacts))
        there = {(one.module, one.stream) for one in streams}
        said = self.said({one.module for one in streams})
        documents = [one.text for one in sorted(streams, key=lambda one: one.key)]
        documents += [
            one.text
            for one in sorted(said, key=lambda one: one.module)
            if isinstance(one, Defaults) or (one.module, one.stream) in there
        ]
        return "".join(dict.fromkeys(documents))

    def _with_needed(self, streams: Iterable[Stream]) -> list[Stream]:
        """Add, for each module that one needs and that is not there, the streams that would do."""
        found = {one.key: one for one in streams}
        rest = list(found.values())
        while rest:
            for module, allowed in rest.pop().requires:
                there = [one.stream for one in found.values() if one.module == module]
                if module == PLATFORM or any(_allows(allowed, stream) for stream in there):
                    continue
                more = [one for one in self.streams({module}) if _allows(allowed, one.stream)]
                for one in _newest(more):
                    if one.key not in found:
                        found[one.key] = one
                        rest.append(one)
        return list(found.values())

    def members(self, spec: str, artifacts: Collection[str]) -> frozenset[str]:
        """Name the packages that a spec installs of a module, where yum chose these packages.

        Empty if it names none of whose packages one was chosen.
        """
        if (asked := Asked.of(spec)) is None:
            return frozenset()
        streams = [
            one
            for one in self.holding(artifacts)
            if one.module == asked.module and asked.stream in {"", one.stream}
        ]
        names = {asked.profile} if asked.profile else set(self._default_profiles(streams))
        return frozenset(
            package for one in streams for name in names for package in one.profiles.get(name, ())
        )

    def _default_profiles(self, streams: Collection[Stream]) -> Iterator[str]:
        names = {one.stream for one in streams}
        for one in self.said({one.module for one in streams}):
            if isinstance(one, Defaults):
                for stream in names & one.profiles.keys():
                    yield from one.profiles[stream]

    def near(self, spec: str) -> tuple[str, ...]:
        """Give specs of streams or profiles that somebody may have meant by a spec."""
        asked = Asked.of(spec)
        if asked is None:
            return tuple(f"@{one}" for one in sorted(self._offering(spec)))[:MAX_NEAR]
        streams = self.streams({asked.module})
        profiles = {name for one in streams if one.stream == asked.stream for name in one.profiles}
        if profiles:
            near = sorted(f"@{asked.module}:{asked.stream}/{name}" for name in profiles)
        elif len(names := {one.stream for one in streams}) == 1 and not asked.stream:
            near = sorted(
                f"@{one.module}:{one.stream}/{n}" for one in streams for n in one.profiles
            )
        else:
            near = sorted(f"@{asked.module}:{name}" for name in names)
        return tuple(dict.fromkeys(near))[:MAX_NEAR]

    def _offering(self, spec: str) -> frozenset[str]:
        """Name the streams that have a package, whatever version of it a spec names."""
        names = {"-".join(spec.split("-")[:count]) for count in range(1, spec.count("-") + 2)}
        packages = re.compile(
            rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, names))})-[0-9]+:[^-]+-[^-]+$", re.MULTILINE
        )
        found = (modulemd.read(text) for text in self._texts if packages.search(text))
        return frozenset(f"{one.module}:{one.stream}" for one in found if isinstance(one, Stream))


def _documents(files: Iterable[bytes]) -> Iterator[str]:
    for file in files:
        if len(file) > MAX_BYTES:
            raise Malformed(f"a modules.yaml of at most {MAX_BYTES:,} bytes", f"{len(file):,}")
        yield from modulemd.split(file)


def _allows(allowed: Collection[str], stream: str) -> bool:
    """Tell whether a stream is one of those required: none is any, `-f29` is any but that."""
    without = {name[1:] for name in allowed if name.startswith("-")}
    named = {name for name in allowed if not name.startswith("-")}
    return stream not in without and (stream in named or not named)


def _newest(streams: Iterable[Stream]) -> Iterable[Stream]:
    """Give the newest build of each stream, context and architecture."""
    best: dict[tuple[str, ...], Stream] = {}
    for one in sorted(streams, key=lambda one: int(one.version or 0)):
        best[one.module, one.stream, one.context, one.arch] = one
    return best.values()
