"""Lost and damaged RPMs: found by their SHA-256, fetched from upstream, and put in their places.

An RPM that upstream signed again has other bytes under the same NEVRA. It becomes a file of
another name beside the older one, so that a name in the pool goes on meaning the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gm_analytics.errors import Malformed
from gm_analytics.mirror import adoption, history
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.locked import fetch_locked
from gm_analytics.mirror.package_manager import PackageManager
from gm_analytics.mirror.publication import Download
from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Package, Row

EXCEPT, PAYLOADS, MEND = "except.txt", "payloads.txt", "mend.txt"
"""Lists in staging."""
_TAG = 8
"""Characters of its SHA-256 that tell an RPM signed again from others of its NEVRA."""


@dataclass(frozen=True)
class Mended:
    """What became of lost and damaged files."""

    fetched: tuple[Package, ...] = ()
    """Back in their places, with their bytes."""
    resigned: tuple[Package, ...] = ()
    """Beside them, signed again; by their new names."""
    refused: tuple[str, ...] = ()
    """The others, each with what is wrong."""


def beside(package: Package) -> Package:
    """Give an RPM that upstream signed again the name that no other bytes have."""
    stem = package.canonical.removesuffix(".rpm")
    return replace(package, file=f"{stem}.{package.sha256[:_TAG]}.rpm")


# --- commands -------------------------------------------------------------------------------


def leave_out(target: Target, tools: Tools, update_id: str) -> Argv:
    """Have yum take what staging's `except.txt` lists from upstream, not from the pool."""
    option = "exclude" if tools.manager == "yum3" else "excludepkgs"
    return script("mirror", "except", target.staging(update_id), option)


def payloads(target: Target, update_id: str) -> Argv:
    """Print which files of staging's `payloads.txt` differ by their signatures alone."""
    return script("mirror", "payloads", target.root, target.staging(update_id))


def mend(target: Target, update_id: str) -> Argv:
    """Put the files of staging's `mend.txt` into the pool, by rename."""
    return script("mirror", "mend", target.root, target.staging(update_id))


# --- the mender -----------------------------------------------------------------------------


class Mender:
    """Looks for damage in the pool, and mends it."""

    def __init__(self, host: Host, package_manager: PackageManager) -> None:
        self._host = host
        self._package_manager = package_manager

    def damaged(self, update_id: str, packages: tuple[Package, ...]) -> tuple[Package, ...]:
        """Say which packages the pool has lost, or has with other bytes: it reads all of them."""
        self._host.prepare(update_id)
        there = self._sums(update_id, packages)
        return tuple(package for package in packages if there.get(package.file) != package.sha256)

    def beside(self, update_id: str, packages: tuple[Package, ...], *, add: bool) -> set[str]:
        """Give the files that RPMs have which were signed again, beside the older ones.

        With `add`, those that staging has are put there, if nothing but their signatures differs.
        """
        others = tuple(map(beside, packages))
        sums = self._sums(update_id, others)
        there = {other.file for other in others if sums.get(other.file) == other.sha256}
        rest = tuple(package for package in packages if beside(package).file not in there)
        if add:
            verdicts = self._compare(update_id, rest, {package.nevra: package for package in rest})
            taken = [package for package in rest if verdicts[package.nevra] == "same"]
            self._put(update_id, [(package.file, beside(package)) for package in taken])
            there |= {beside(package).file for package in taken}
        return there

    def _sums(self, update_id: str, packages: Iterable[Package]) -> dict[str, str]:
        """Give the SHA-256 of the files that the pool has of these."""
        self._host.put_list(update_id, history.LOCKED, [package.file for package in packages])
        doing, argv = "reading the pool", history.sums(self._host.target, update_id)
        printed = self._host.run(argv, doing, self._host.target.timeout)
        with self._host.answer(doing):
            return history.read_sums(printed)

    def fetch(
        self, update_id: str, live: str, bad: tuple[Package, ...], *, accept_resigned: bool
    ) -> Mended:
        """Fetch packages from upstream, and put those that are the same bytes into the pool."""
        nevras = tuple(package.nevra for package in bad)
        self._host.put_list(update_id, EXCEPT, nevras)
        argv = leave_out(self._host.target, self._host.tools, update_id)
        self._host.run(argv, "taking damaged packages from upstream")
        gone = fetch_locked(self._host, self._package_manager, update_id, nevras, [])
        rows = tuple(map(Row.of, bad))
        download = Download((nevras,), rows)
        inspected = self._package_manager.inspected(update_id, live, download, rows)
        fetched = {package.nevra: package for package in inspected.packages}
        same = tuple(p for p in bad if p.nevra in fetched and fetched[p.nevra].sha256 == p.sha256)
        others = tuple(p for p in bad if p.nevra in fetched and p not in same)
        verdicts = self._compare(update_id, others, fetched)
        resigned = tuple(
            beside(replace(fetched[p.nevra], source=p.source, wanted=p.wanted))
            for p in others
            if accept_resigned and verdicts[p.nevra] != "other"
        )
        pairs = [(p.canonical, p) for p in same]
        self._put(update_id, [*pairs, *((p.canonical, p) for p in resigned)])
        taken = {p.nevra for p in (*same, *resigned)}
        refused = [_refusal(p, gone, verdicts) for p in bad if p.nevra not in taken]
        return Mended(same, resigned, tuple(refused))

    def _compare(
        self, update_id: str, others: tuple[Package, ...], fetched: dict[str, Package]
    ) -> dict[str, str]:
        """Tell RPMs that were signed again from those that were built again, by NEVRA."""
        if not others:
            return {}
        names = {fetched[package.nevra].file: package.nevra for package in others}
        lines = [f"{fetched[p.nevra].file}\t{p.file}\n" for p in others]
        self._host.ssh.put(self._host.target.staging(update_id, PAYLOADS), "".join(lines))
        doing = "comparing payloads"
        printed = self._host.run(payloads(self._host.target, update_id), doing)
        with self._host.answer(doing):
            said = [line.partition(" ")[::2] for line in grammar.lines(printed, "a comparison")]
            if {file for _, file in said} != set(names):
                raise Malformed("a verdict on each file", grammar.shown(printed))
        return {names[file]: verdict for verdict, file in said}

    def _put(self, update_id: str, pairs: Iterable[tuple[str, Package]]) -> None:
        lines = [f"{staged}\t{package.file}\t{package.sha256}\n" for staged, package in pairs]
        if lines:
            self._host.ssh.put(self._host.target.staging(update_id, MEND), "".join(lines))
            argv = mend(self._host.target, update_id)
            self._host.run(argv, "mending the pool", self._host.target.timeout)

    def named(self, packages: tuple[Package, ...]) -> bool:
        """Tell whether the live metadata name all of these packages, with these bytes."""
        found = {(one.file, one.digest.value) for one in adoption.named(self._host)}
        return all((package.file, package.sha256) in found for package in packages)


def _refusal(package: Package, gone: set[str], verdicts: dict[str, str]) -> str:
    match verdicts.get(package.nevra):
        case "other":
            return f"{package.nevra}: upstream has built it again, with another payload"
        case "same" | "unknown":
            return (
                f"{package.nevra}: upstream has it with other bytes, signed again it seems; "
                "--accept-resigned takes it beside the older one"
            )
    if package.nevra in gone:
        return f"{package.nevra}: upstream no longer has it"
    return f"{package.nevra}: it could not be fetched without what upstream no longer has"
