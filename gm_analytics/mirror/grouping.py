"""Which specs a run of the solver satisfied, and why others were left out or hidden. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gm_analytics.mirror.printed import MAX_LINE
from gm_analytics.mirror.survey import Manager
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Row

_PROBLEM = re.compile(r" {0,4}Problem(?: [0-9]{1,6})?: ")


def problems(output: str) -> tuple[str, ...]:
    """Give each problem that dnf tells of, on one line."""
    found: list[list[str]] = []
    inside = False
    for line in (one[:MAX_LINE] for one in output.split("\n")):
        if begins := _PROBLEM.match(line):
            found.append([line[begins.end() :].strip()])
            inside = True
        elif inside := inside and line.startswith("  - "):
            found[-1].append(line[4:].strip())
    return tuple(grammar.printable("; ".join(lines)) for lines in found)


def installed(
    specs: Iterable[str], rows: Iterable[Row], left_out: Iterable[Row]
) -> tuple[str, ...]:
    """Give the specs that certainly name a package of the transaction.

    A path, a group, and what a package only provides are not among them: a table does not tell.
    Nor is a name of which another version was left out, since that one was wanted.
    """
    there, absent = _spellings_of(rows), _spellings_of(left_out)
    return tuple(spec for spec in specs if spec in there and spec not in absent)


def reasons(
    specs: Iterable[str], left_out: Iterable[Row], problems: Iterable[str]
) -> dict[str, str]:
    """Give the solver's problems that name what each spec stands for; all, where none does."""
    told, rows = tuple(problems), tuple(left_out)
    found = {}
    for spec in specs:
        named = {_nevra(row) for row in rows if spec in _spellings(row)} | {spec}
        own = [one for one in told if named & set(one.replace(";", " ").split())]
        found[spec] = ". ".join(own or told)
    return found


def hidden(
    specs: Iterable[str], told: Mapping[str, str], rows: Iterable[Row], manager: Manager
) -> dict[str, str]:
    """Give the specs that upstream has and the host's yum does not show, and why.

    `told` is what yum said of it, `rows` all that upstream has whatever is excluded. What is
    excluded from the mirror's own pool alone is not hidden: upstream does not have it.
    """
    there = _spellings_of(rows)
    found = {}
    for spec in specs:
        why, known = told.get(spec, ""), spec in there or spec.startswith("/")
        if why == "either":
            found[spec] = "exclude" if known else "modular"
        elif why == "modular" or (why == "exclude" and (known or not there)):
            found[spec] = why
        elif not why and manager == "yum3" and spec in there:  # it says nothing of it
            found[spec] = "exclude"
    return found


def _nevra(row: Row) -> str:
    return f"{row.name}-{row.evr}.{row.arch}"


def _spellings_of(rows: Iterable[Row]) -> set[str]:
    return {spelling for row in rows for spelling in _spellings(row)}


def _spellings(row: Row) -> set[str]:
    """Give the ways in which a manifest may name a package."""
    epoch, _, evr = row.evr.rpartition(":")
    version = evr.partition("-")[0]
    found = {row.name, f"{row.name}.{row.arch}"}
    for one in (version, evr, f"{evr}.{row.arch}"):
        found |= {f"{row.name}-{one}", f"{row.name}-{epoch or 0}:{one}"}
        found.add(f"{epoch or 0}:{row.name}-{one}")
    return found
