"""Specs that name a package of which yum takes another one in the place: one that obsoletes it.

yum says nothing of it. A client of the mirror, where the older package is not, would find no such
package, unless the newer one provides its name as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from gm_analytics.mirror import grouping, printed, solver, yum
from gm_analytics.mirror.host import Host
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Row

MOST = 100
"""Specs that are asked about: of those that name no package of the closure."""


def replaced(
    host: Host, update_id: str, specs: Sequence[str], rows: Collection[Row]
) -> dict[str, str]:
    """Give the specs that are obsoleted by a package of the closure, each with its name.

    It costs a run of yum only if a spec names no package of the closure. yum 3 and the root
    helper cannot be asked.
    """
    known = {*grouping.installed(specs, rows, ())}
    asked = [spec for spec in specs if spec not in known and grammar.NAME.fits(spec)][:MOST]
    tools = host.tools
    if not asked or tools.manager == "yum3" or tools.elevation == "helper":
        return {}
    argv = yum.obsoleting(host.target, tools, update_id, asked)
    said = solver.run_yum(host, update_id, argv, "asking what is obsoleted", aloud=False)
    there = {row.name for row in rows}
    found: dict[str, str] = {}
    for name, obsoletes, provides in _told(said.stdout):
        if name in there:
            gone = {*asked} & obsoletes - provides
            found |= dict.fromkeys(sorted(gone), name)
    return found


def _told(output: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """Read the names that each package obsoletes, and those that it provides."""
    blocks: list[list[str]] = []
    for line in printed.lines_of(output):
        if line.startswith(yum.PACKAGE):
            blocks.append([])
        if blocks and line.strip():
            blocks[-1].append(line.strip())
    for name, *rest in blocks:
        at = next((n for n, line in enumerate(rest) if line.startswith(yum.PROVIDES)), len(rest))
        provides = [line.removeprefix(yum.PROVIDES) for line in rest[at:]]
        yield name.removeprefix(yum.PACKAGE), _names(rest[:at]), _names(provides)


def _names(capabilities: Iterable[str]) -> set[str]:
    return {words[0] for one in capabilities if (words := one.split())}
