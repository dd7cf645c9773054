"""What upstream has, asked after a run that failed: what is near, hidden, or of one file name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial

from gm_analytics.errors import UnknownPackages
from gm_analytics.mirror import grouping, modular, printed, yum
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.reading import Reader
from gm_analytics.mirror.records import Records
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import comps, grammar
from gm_analytics.rpm import suggestions as near
from gm_analytics.rpm.package import Row
from gm_analytics.wording import masked

MAX_SPECS, MAX_FILES = 20, 500
"""That are looked for."""
Ask = Callable[[Argv, str], str]
"""Runs a command of `yum`, for what is said behind it; gives what it printed."""


def look_up(error: UnknownPackages, host: Host, update_id: str, ask: Ask) -> None:
    """Look among all that upstream has for what is excluded, and for what may be meant."""
    target, tools = host.target, host.tools
    rows = printed.listing(ask(yum.names(target, tools, update_id), "listing what upstream has"))
    error.hidden = grouping.hidden(error.specs, error.hidden, rows, tools.manager)
    specs = [spec for spec in error.specs if spec not in error.hidden][:MAX_SPECS]
    named = error.hidden or any(spec.startswith("@") for spec in specs)
    records = Reader(host).read("") if named else Records()
    ids = comps.ids(document.text() for document in records.upstreams("group"))
    error.near = near.suggest(specs, rows, ids, partial(_providers, host, update_id, ask))
    error.near |= modular.near(error, records)


_PROVIDED_AS = ("/usr/bin/{0}", "/usr/sbin/{0}", "*({0})")


def _providers(host: Host, update_id: str, ask: Ask, name: str) -> list[str]:
    """Name the packages that have a program of this name, or a capability with it in brackets.

    yum 3 tells that in other words, and the helper has no such command.
    """
    if host.tools.elevation == "helper" or host.tools.manager == "yum3":
        return []
    spelled = sorted({name, name.lower()})
    wanted = ",".join(form.format(one) for one in spelled for form in _PROVIDED_AS)
    argv = (*yum.names(host.target, host.tools, update_id), f"--whatprovides={wanted}")
    rows = printed.listing(ask(argv, f"looking for who provides {name}"))
    return sorted({row.name for row in rows})


def of_one_name(rows: Collection[Row], host: Host, update_id: str, ask: Ask) -> list[str]:
    """Give where upstream has those files of these packages that have one name."""
    if host.tools.elevation == "helper" or host.tools.manager == "yum3":
        return []
    specs = [f"{row.name}-{row.evr}.{row.arch}" for row in rows if not yum.is_here(row)]
    asked = yum.names(host.target, host.tools, update_id)[:-1]
    said = ask((*asked, "--location", *specs[:MAX_FILES]), "looking where upstream has the files")
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in printed.lines_of(said):
        if "/" in line and grammar.FILE.fits(name := line.rpartition("/")[2].strip()):
            found[name].add(grammar.printable(masked(line.strip())))
    return [place for places in found.values() if len(places) > 1 for place in sorted(places)]
