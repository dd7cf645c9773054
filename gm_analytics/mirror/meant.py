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
from gm_analytics.rpm import comps
from gm_analytics.rpm import suggestions as near
from gm_analytics.rpm.package import Row

MAX_SPECS = 20
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
    """Name the packages among these whose files have one name in upstream's repositories."""
    if host.tools.elevation == "helper" or host.tools.manager == "yum3":
        return []
    argv = yum.names(host.target, host.tools, update_id)
    located = (*argv[:-1], argv[-1].replace("%{repoid}", "%{location}"))
    said = printed.listing(ask(located, "looking where upstream has the files"))
    wanted = {(row.name, row.arch, row.evr.removeprefix("0:")) for row in rows}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in said:
        if (row.name, row.arch, row.evr.removeprefix("0:")) in wanted:
            found[row.repository.rpartition("/")[2]].add(f"{row.nevra} ({row.repository})")
    return [name for names in found.values() if len(names) > 1 for name in sorted(names)]
