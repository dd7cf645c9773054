"""What somebody may have meant by a package spec that upstream has nothing for. No I/O."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

from gm_analytics.rpm.package import Row
from gm_analytics.rpm.versions import evr_key

MAX_SPECS = 20
"""How many specs are looked for: each takes some hundredths of a second among 20,000 names."""
MAX_MATCHES = 3
CLOSE = 0.75
"""How alike two names are, from 0 to 1, as difflib counts it."""

_EPOCH = re.compile(r"^[0-9]+:")
_VERSION = re.compile(r"(-([0-9]+:)?[0-9][^-]*){1,2}$")
_AFFIXES = re.compile(r"^lib|-(devel|dev|libs?)$")


def suggest(
    specs: Iterable[str], offered: Iterable[Row], groups: Iterable[str]
) -> dict[str, list[str]]:
    """Give what is near to the first of the specs: other names, versions, architectures.

    `offered` is all that upstream has, `groups` the ids of its groups. A spec that nothing is
    near to is left out.
    """
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in offered:
        by_name[row.name].append(row)
    ids = list(groups)
    near = {
        spec: [f"@{name}" for name in _close(spec[1:], ids)]
        if spec.startswith("@")
        else _near(_EPOCH.sub("", spec), by_name)
        for spec in list(specs)[:MAX_SPECS]
    }
    return {spec: found for spec, found in near.items() if found}


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
    return _close(name, by_name)


def _close(name: str, names: Iterable[str]) -> list[str]:
    """Give names that are alike but for their case, `lib` and `-devel`, then alike at all."""
    folded = {other.casefold(): other for other in names}
    word = name.casefold()
    core = _AFFIXES.sub("", word)
    kin = sorted(other for other in folded if _AFFIXES.sub("", other) == core)
    found = dict.fromkeys((*kin, *get_close_matches(word, folded, MAX_MATCHES, CLOSE)))
    return [folded[other] for other in found][:MAX_MATCHES]
