"""What somebody may have meant by a package spec that upstream has nothing for. No I/O."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from gm_analytics.rpm.package import Row
from gm_analytics.rpm.versions import evr_key

MAX_SPECS = 20
"""How many specs are looked for: each takes some hundredths of a second among 20,000 names."""
MAX_ASKED = 3
"""Of how many it is asked who provides them: each takes a run of dnf."""
MAX_MATCHES = 3
CLOSE = 0.75
"""How alike two names are, from 0 to 1, as difflib counts it."""

_EPOCH = re.compile(r"^[0-9]+:")
_VERSION = re.compile(r"(-([0-9]+:)?[0-9][^-]*){1,2}$")
_AFFIXES = re.compile(r"^lib|-(devel|dev|libs?)$")
_CAPABILITY = re.compile(r"([^(]*)\(([^()]*)\).*")
_BESIDE = re.compile(
    r"-(?:common|data|debuginfo|debugsource|devel|docs?|filesystem|help|javadoc|lang\w*|libs?|"
    r"static|tests?)$"
)
"""Parts of a program that are not what its name alone means."""


def suggest(
    specs: Iterable[str],
    offered: Iterable[Row],
    groups: Iterable[str],
    providers: Callable[[str], Iterable[str]] = lambda _: (),
) -> dict[str, list[str]]:
    """Give what is near to the first of the specs: other names, versions, architectures.

    `offered` is all that upstream has, `groups` the ids of its groups; `providers` tells which
    packages have a program of a name, and is asked where no name is near. A spec that nothing is
    near to is left out.
    """
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in offered:
        by_name[row.name].append(row)
    ids, found, asked = list(groups), {}, 0
    for spec in list(specs)[:MAX_SPECS]:
        if spec.startswith("@"):
            found[spec] = [f"@{name}" for name in _close(spec[1:], ids)]
        elif not (near := _near(_EPOCH.sub("", spec), by_name)) and _may_be_a_program(spec):
            asked += 1
            told = [*providers(spec)] if by_name and asked <= MAX_ASKED else []
            found[spec] = [*dict.fromkeys((*told, *_beginning(spec, by_name)))][:MAX_MATCHES]
        else:
            found[spec] = near
    return {spec: near for spec, near in found.items() if near}


def _may_be_a_program(spec: str) -> bool:
    return "/" not in spec and "(" not in spec


def _near(spec: str, by_name: dict[str, list[Row]]) -> list[str]:
    if spec.startswith("/"):
        return []
    name, _, arch = spec.rpartition(".")
    if name in by_name and not arch[:1].isdigit():
        return [f"{name}.{arch}" for arch in sorted({row.arch for row in by_name[name]})]
    name = _VERSION.sub("", spec)
    if name in by_name and name != spec:
        versions = sorted({row.evr for row in by_name[name]}, key=evr_key, reverse=True)
        return [f"{name}-{evr}" for evr in versions[:MAX_MATCHES]]
    if capability := _CAPABILITY.fullmatch(name):
        return _providing(capability[1], capability[2].replace("::", "-"), by_name)
    return _close(name, by_name)


def _providing(kind: str, word: str, names: Iterable[str]) -> list[str]:
    """Give the packages whose names are made as is usual for a kind: `perl-JSON-XS`."""
    known = list(names)
    prefix = re.sub(r"dist$", "", kind)
    spelled = (
        (f"{prefix}-{word}", f"{word}-devel") if kind == "pkgconfig" else (f"{prefix}-{word}",)
    )
    found = (near for name in (*spelled, word) for near in _close(name, known))
    return [*dict.fromkeys(found)][:MAX_MATCHES]


def _beginning(name: str, names: Iterable[str]) -> list[str]:
    """Give the names that go on behind a name, the shortest first: `vim-enhanced` for `vim`."""
    begun = [other for other in names if other.casefold().startswith(f"{name.casefold()}-")]
    main = [other for other in begun if not _BESIDE.search(other)]
    return sorted(main or begun, key=lambda other: (len(other), other))[:MAX_MATCHES]


def _close(name: str, names: Iterable[str]) -> list[str]:
    """Give names that are alike but for their case, `lib` and `-devel`, then alike at all."""
    folded = {other.casefold(): other for other in names}
    word = name.casefold()
    core = _AFFIXES.sub("", word)
    kin = sorted(other for other in folded if _AFFIXES.sub("", other) == core)
    found = dict.fromkeys((*kin, *get_close_matches(word, folded, MAX_MATCHES, CLOSE)))
    return [folded[other] for other in found][:MAX_MATCHES]
