"""The publisher: makes a candidate of a closure, has it signed, and switches to it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from gm_analytics.errors import (
    BytesDiffer,
    Overtaken,
    PathsHidden,
    PoolIncomplete,
    Untrusted,
)
from gm_analytics.mirror import (
    carried,
    downloads,
    modular,
    repository,
    survey,
    yum,
)
from gm_analytics.mirror.addresses import Address, below
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.host import SHORT, Host
from gm_analytics.mirror.mending import Mender, beside
from gm_analytics.mirror.offered_keys import OfferedKeys
from gm_analytics.mirror.package_manager import PackageManager
from gm_analytics.mirror.preview_repo import repo_file
from gm_analytics.mirror.public_keys import Found
from gm_analytics.mirror.publication import Built, Closure, Download, Publication, Whereabouts
from gm_analytics.mirror.publications import Publications
from gm_analytics.mirror.reading import Reader
from gm_analytics.mirror.served import refused
from gm_analytics.mirror.signer import Signer
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import provenance as wanted
from gm_analytics.rpm.grammar import CAPABILITY, FILE, lines, printable, shown
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.visible import hidden

log = logging.getLogger(__name__)
_LOST = "lost "
"""How build.sh begins a line about a file that is lost."""


class Publisher:
    """Runs what `repository` describes and reads what comes back."""

    def __init__(
        self,
        host: Host,
        package_manager: PackageManager,
        publications: Publications,
        signer: Signer,
        reader: Reader,
    ) -> None:
        self._host = host
        self._package_manager = package_manager
        self._publications = publications
        self._signer = signer
        self._reader = reader
        self._keys = OfferedKeys(host, signer)
        self._mender = Mender(host, package_manager)
        self.accepts_resigned = False
        """Whether RPMs that upstream signed again are taken, beside the older ones."""

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        """Check the downloaded files, find the others in the pool, say who wanted them.

        Each row of the table is one package: of a file that was inspected, or of one that what is
        live names, where yum took it from there.

        Raises:
            BadPackages: a file is missing or damaged, or two have one name upstream.
            BytesDiffer: the pool has a NEVRA with other bytes.
            PathsHidden: a package needs a file that clients without filelists do not see.

        """
        shown = self._shown(live, download)
        more = {row.nevra: row for row in download.rows if row.nevra not in shown}
        closure = self._package_manager.inspected(update_id, live, download, more.values())
        if absent := sorted(set(more) - {package.nevra for package in closure.packages}):
            raise self._package_manager.not_downloaded(update_id, absent, download.rows)
        closure = self._beside(update_id, live, closure)
        if any(package.source == yum.PREVIEW_ID for package in closure.packages):
            with suppress(Untrusted):  # only says where packages came from
                closure = closure.sourced(self._publications.previewed(number).packages)
        return self._explain(update_id, live, closure.beside(shown.values(), "live"), download)

    def _shown(self, live: str, download: Download) -> dict[str, Package]:
        """Give what yum took from what is live, as that describes it."""
        taken = {row.nevra for row in download.rows if row.repository == yum.POOL_ID}
        packages = self._publications.packages(live) if taken else ()
        return {package.nevra: package for package in packages if package.nevra in taken}

    def _beside(self, update_id: str, live: str, closure: Closure) -> Closure:
        """Give RPMs that upstream signed again the names that they have beside the older ones.

        Raises:
            BytesDiffer: they are not there, and nobody said that they are to be taken.

        """
        if not (differing := closure.where("differs")):
            return closure
        there = self._mender.beside(update_id, differing, add=self.accepts_resigned)
        if absent := [package.file for package in differing if beside(package).file not in there]:
            raise BytesDiffer(self._host.name, absent)
        shown = {package.file for package in self._publications.packages(live)}
        packages = [beside(p) if p in differing else p for p in closure.packages]
        states: list[Whereabouts] = [
            ("live" if package.file in shown else "pool") if state == "differs" else state
            for package, state in zip(packages, closure.states, strict=True)
        ]
        return replace(closure, packages=tuple(packages), states=tuple(states))

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        """Rename downloaded files into the pool.

        Raises:
            BytesDiffer: one came to be there with other bytes.

        """
        self._host.put_list(update_id, "new.txt", [package.file for package in packages])
        argv = downloads.add(self._host.target, update_id)
        result = self._host.ssh.run(argv, "adding to the pool", SHORT)
        if result.exited == survey.BYTES_DIFFER:
            raise BytesDiffer(self._host.name, [printable(file) for file in result.stdout.split()])
        self._host.check(result, argv, "adding to the pool")

    def build(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the candidate's metadata: the closure, and `live` too unless it is exact.

        Gives what `sign` needs.
        """
        built, packages = self._describe(update_id, live, closure, publication)
        exact = publication.exact
        argv = repository.build(self._host.target, self._host.tools, update_id, live, exact=exact)
        address = self._address(update_id, closure.packages, publication.number)
        argv = repository.addressed(argv, address)
        said = self._build(argv, closure.packages, signed=bool(publication.key))
        return self._keys.described(built, update_id, said, packages, publication)

    def _address(self, update_id: str, packages: Sequence[Package], number: int) -> Address | None:
        """Give the address of a publication; None where clients would then get no packages."""
        host = self._host
        if host.prepared != update_id:
            host.prepare(update_id)
        if why := refused(host.config, host.packages_link, packages):
            log.warning("mirror %s: the publication has no address of its own: %s", host.name, why)
            return None
        return Address(host.packages_link, below(host.config, number))

    def _build(self, argv: Argv, needed: tuple[Package, ...], *, signed: bool) -> Found:
        """Have createrepo write metadata; of files that are lost, it can say nothing.

        Gives what was found of the packages' signatures.

        Raises:
            PoolIncomplete: some of those are needed, or the metadata are to be signed, and would
                not be those of the list.

        """
        doing = "running createrepo"
        printed = self._host.run(argv, doing, self._host.target.timeout)
        with self._host.answer(doing):
            said = lines(printed, "a file that is lost, or a signature")
            found = Found.parse(said)
            lost = [FILE.check(one[len(_LOST) :]) for one in said if one.startswith(_LOST)]
        if signed or {package.file for package in needed} & set(lost):
            if lost:
                raise PoolIncomplete(self._host.name, lost)
        elif lost:
            log.warning("%s", PoolIncomplete(self._host.name, lost))
        return found

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the metadata of a preview: the closure alone, its packages in the pool."""
        built, packages = self._describe(update_id, live, closure, publication)
        address = self._address(update_id, closure.packages, publication.number)
        target, link = self._host.target, address.link if address else ""
        argv = repository.build_preview(
            target, self._host.tools, update_id, publication.number, link
        )
        said = self._build(argv, closure.packages, signed=True)
        return self._keys.described(built, update_id, said, packages, publication)

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        """Make the candidate live; give the SHA-256 of its repomd.xml.

        Raises:
            Overtaken: something else was published since `live` was looked at.

        """
        following = Publication.directory(publication.number)
        argv = repository.switch(self._host.target, update_id, live, following)
        result = self._host.ssh.run(argv, "switching to the candidate", SHORT)
        if result.exited == survey.OVERTAKEN:
            raise Overtaken(self._host.name, live, shown(result.stdout.strip()))
        repomd = self._host.digest(
            self._host.check(result, argv, "switching"), "switching to the candidate"
        )
        return self._signer.confirm(following, update_id, repomd)

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        """Make the candidate the preview of its pull request; give its repomd.xml's SHA-256."""
        config = self._host.config
        file = repo_file(publication, config.base_url, config.http)
        argv = repository.switch_preview(self._host.target, update_id, publication.number, file)
        printed = self._host.run(argv, "switching to the preview")
        repomd = self._host.digest(printed, "switching to the preview")
        return self._signer.confirm(f"previews/{publication.number}", update_id, repomd)

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the candidate's metadata: those of an older publication, again."""
        self._host.prepare(update_id)
        packages = self._signer.contents(live, closure, publication)
        records = self._reader.of_publication(older.directory)
        rolled_back = publication.kind == "rollback"
        chosen = None if rolled_back else self._reader.served(older.directory, packages)
        with self._reader.judging():
            made = carried.again(records, chosen)
        self._signer.write(update_id, packages, publication, older.manifests, made.files())
        argv = repository.rebuild(
            self._host.target, self._host.tools, update_id, live, older.directory
        )
        argv = repository.addressed(argv, self._address(update_id, packages, publication.number))
        needed = closure.packages if rolled_back else ()
        said = self._build(argv, needed, signed=bool(publication.key))
        return self._keys.described(made.built(), update_id, said, packages, publication)

    def _explain(self, update_id: str, live: str, closure: Closure, download: Download) -> Closure:
        """Say which specs wanted the packages of a closure, and what to warn of."""
        paths = [spec for spec in download.specs if spec.startswith("/")]
        argv, doing = (
            downloads.relations(self._host.target, update_id),
            "reading what packages need",
        )
        asked = [*(package.file for package in closure.packages), *paths]
        argv = self._host.with_words(update_id, "related.txt", argv, asked)
        result = self._host.ssh.run(argv, doing, self._host.target.timeout)
        if result.exited == survey.REFUSED:
            raise self._host.refused(result, CAPABILITY)
        printed, weak = self._host.check(result, argv, doing), self._host.target.weak_dependencies
        with self._host.packages_of_upstream():
            related = wanted.parse(printed)
        relations = {
            p.file: related[p.canonical] for p in closure.packages if p.canonical in related
        }
        if not self._host.config.filelists and (needs := hidden(relations)):
            raise PathsHidden(self._host.name, list(needs))
        specs = [spec for spec in download.specs if spec.startswith("@")]
        labelled = [p for p in closure.packages if (r := relations.get(p.file)) and r.module]
        members, stale = {}, False
        if specs or labelled:
            records = self._reader.read(live, update_id)
            with self._reader.judging():
                members = modular.members(self._host, records, closure, specs, labelled)
                stale = modular.are_stale(records, labelled)
        packages = wanted.attribute(
            closure.packages, relations, download.specs, members, weak=weak
        )
        told = wanted.warnings(relations, weak=weak)
        return replace(closure, packages=packages, warnings=told, stale=stale)

    def _describe(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> tuple[Built, tuple[Package, ...]]:
        """Put what a candidate is made of into staging; give what the signature needs of it.

        And its packages.
        """
        packages = self._signer.contents(live, closure, publication)
        records = self._reader.read(live, update_id)
        specs, exact = publication.specs, publication.exact
        chosen = self._reader.advisories(records, packages, exact=exact)
        with self._reader.judging():
            made = carried.carry(records, packages, specs, chosen, exact=exact)
        satisfied = (publication.manifest,)
        self._signer.write(update_id, packages, publication, satisfied, made.files())
        return made.built(), packages
