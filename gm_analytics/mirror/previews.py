"""The previews that a mirror serves, compared with what is live: nothing is solved for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from gm_analytics.errors import Untrusted
from gm_analytics.mirror.history import History
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.publication import Standing
from gm_analytics.mirror.survey import Target
from gm_analytics.mirror.trust import Trust
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import changes, grammar
from gm_analytics.rpm.package import Package

MOST = 50
"""Previews that are compared: their pull requests' comments are edited."""
Standings = tuple[Standing, ...]
Shown = Mapping[str, tuple[Package, ...]]
"""The packages of previews, by `owner/name#number`."""


def newest(past: History) -> dict[int, str]:
    """Give the newest previews that are served: their pull requests, by number."""
    served = sorted((one for one in past.previews if one.served), key=lambda one: one.made_at)
    made = {one.number: one.publication.repository for one in served[-MOST:] if one.publication}
    return {number: said for number, said in made.items() if said.endswith(f"#{number}")}


def read(host: Host, trust: Trust | None, made: Mapping[int, str]) -> Shown:
    """Read what previews show; with a key, of those that it signed."""
    doing = "listing the packages of previews"
    if trust is None:
        printed = host.run(packages_of_previews(host.target, made), doing) if made else ""
        with host.answer(doing):
            return {made[number]: shown for number, shown in parse(printed).items()}
    believed = {}
    for number, pull_request in made.items():
        with suppress(Untrusted):
            believed[pull_request] = trust.of(f"previews/{number}").packages
    return believed


def packages_of_previews(target: Target, numbers: Iterable[int]) -> Argv:
    """Print the packages of previews, behind the line `preview NUMBER`."""
    return script("mirror", "previews", target.root, *map(str, numbers))


def parse(output: str) -> dict[int, tuple[Package, ...]]:
    """Read the output of `packages_of_previews`.

    Raises:
        Malformed: a line is not as it should be.

    """
    found: dict[int, list[str]] = {}
    listed: list[str] = []
    for line in grammar.lines(output, "a line of a preview"):
        if line.startswith("preview "):
            number = grammar.number(grammar.NUMBER, line.removeprefix("preview "))
            listed = found.setdefault(number, [])
        else:
            listed.append(line)
    return {
        number: Package.parse("".join(line + "\n" for line in lines))
        for number, lines in found.items()
    }


def compare(number: int, live: Iterable[Package], shown: Shown) -> tuple[Standing, ...]:
    """Say how each preview differs from a publication."""
    known = tuple(live)
    return tuple(
        Standing(pull, number, changes.compare(known, packages, exact=True).summary)
        for pull, packages in shown.items()
        if pull
    )
