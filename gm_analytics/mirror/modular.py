"""Module streams on a mirror's host: whether it can offer them, and what upstream has of them."""

from __future__ import annotations

from collections.abc import Iterable

from gm_analytics.errors import Malformed, ModulesNotPossible, UndocumentedModules, UnknownPackages
from gm_analytics.mirror import carried
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.publication import Closure
from gm_analytics.mirror.reading import Reader
from gm_analytics.mirror.records import Records
from gm_analytics.rpm import comps, modulemd, strict
from gm_analytics.rpm.package import Package, Row
from gm_analytics.rpm.streams import Asked, artifact, looks_modular

_OF_YUM = "yum 3 on the mirror's host knows no modules, and would mix their streams"
# https://github.com/rpm-software-management/dnf5/issues/749; it knows default streams.
_OF_DNF5 = "dnf 5 on the mirror's host installs no stream by its name, as dnf 4 does"
_OF_PLATFORM = (
    "dnf on the mirror's host cannot tell which of them are of the release {releasever!r}: "
    "upstream.module_platform_id does"
)


def want_tools(host: Host, specs: Iterable[str], rows: Iterable[Row] = ()) -> None:
    """See that the host's package manager knows modules, where packages of some are asked for.

    Raises:
        ModulesNotPossible: it does not.

    """
    manager = host.tools.manager
    if manager == "dnf4":
        return
    found = [spec for spec in specs if (one := Asked.of(spec)) and one.is_of_a_module]
    if manager == "yum3":
        found += [row.nevra for row in rows if looks_modular(row)]
    if found:
        raise ModulesNotPossible(host.name, found, _OF_YUM if manager == "yum3" else _OF_DNF5)


def without_platform(host: Host, specs: Iterable[str]) -> ModulesNotPossible:
    """Give the error of specs that are hidden since dnf knows no platform."""
    reason = _OF_PLATFORM.format(releasever=host.target.releasever)
    return ModulesNotPossible(host.name, list(specs), reason)


def want_documents(host: Host, reader: Reader, live: str, name: str, rows: Iterable[Row]) -> None:
    """See that upstream has the documents of rows that look as if they were of modules.

    An RPM's label, which is not here yet, says it for certain. `name` is of a staging directory.

    Raises:
        UndocumentedModules: it lacks some.

    """
    known = {artifact(row): row for row in rows if looks_modular(row)}
    if not known:
        return
    if lacking := carried.modules_of(reader.read(live, name)).lacking(known):
        raise UndocumentedModules(host.name, [known[one].nevra for one in lacking])


def near(error: UnknownPackages, records: Records) -> dict[str, list[str]]:
    """Give what may be meant by specs of modules, and which streams have what is filtered."""
    try:
        modules = carried.modules_of(records)
    except (Malformed, strict.Malformed):
        return {}
    told = (spec for spec in error.specs if spec.startswith("@") or spec in error.hidden)
    return {spec: list(found) for spec in told if (found := modules.near(spec))}


def members(
    host: Host,
    records: Records,
    closure: Closure,
    specs: Iterable[str],
    labelled: Iterable[Package],
) -> dict[str, frozenset[str]]:
    """Name what groups and module streams install, by the documents that yum solved by.

    `labelled` are those of the closure's packages whose RPMs say that they are of a module's
    stream.

    Raises:
        UndocumentedModules: no document names some of these.

    """
    known = {artifact(package): package for package in labelled}
    modules = carried.modules_of(records)
    if lacking := modules.lacking(known):
        raise UndocumentedModules(host.name, [known[one].nevra for one in lacking])
    groups = [one.text() for one in records.upstreams("group")]
    names = {package.name for package in closure.packages}
    return {
        spec: modules.members(spec, known) or comps.members(groups, spec[1:], names)
        for spec in specs
    }


def are_stale(records: Records, labelled: Iterable[Package]) -> bool:
    """Tell whether clients are not served all that upstream says of these packages' streams."""
    served = records.of("served").find("modules")
    there = set(modulemd.split(served.text())) if served else set()
    wanted = carried.modules_of(records).carried(list(map(artifact, labelled)))
    return not there.issuperset(modulemd.split(wanted.encode()))
