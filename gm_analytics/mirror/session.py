"""A mirror over SSH: the steps of an update, each safe to repeat.

One `Session` is one SSH connection, with the mirror's lock held for as long as it lives. What it
is made of: `host` runs commands, `solver` yum, `archive` looks after the past.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import requests

from gm_analytics import settings
from gm_analytics.errors import BadPackages, BytesDiffer, NotVisible, Overtaken, Untrusted
from gm_analytics.mirror import downloads, repository, seal, signing, survey, yum
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.host import SHORT
from gm_analytics.mirror.publication import Closure, Download, Preview, Publication
from gm_analytics.mirror.signed import Signed
from gm_analytics.remote import fetch, ssh
from gm_analytics.rpm import comps
from gm_analytics.rpm import provenance as wanted
from gm_analytics.rpm.changes import Plan, compare
from gm_analytics.rpm.grammar import CAPABILITY, SHA256, printable, shown
from gm_analytics.rpm.package import Package

VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2
log = logging.getLogger(__name__)
_FRESH = {"Cache-Control": "no-cache"}


class Session(Signed):
    """Runs what `repository` describes and reads what comes back."""

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        """Check the downloaded files, compare them with what is there, say who wanted them.

        Raises:
            BadPackages: a file is damaged.
            BytesDiffer: the pool has a NEVRA with other bytes.

        """
        closure = self._inspected(update_id, live, download.rows)
        there = {package.nevra for package in closure.packages}
        # What else lies there was not asked for: left by an earlier attempt, or put there.
        closure = closure.only(row.nevra for row in download.rows)
        if absent := sorted({row.nevra for row in download.rows} - there):
            raise BadPackages(self._name, f"solved, but not downloaded: {', '.join(absent)}")
        if differing := closure.where("differs"):
            raise BytesDiffer(self._name, [package.file for package in differing])
        closure = self._explain(update_id, live, closure, download)
        if any(package.source == yum.PREVIEW_ID for package in closure.packages):
            with suppress(Untrusted):  # only says where packages came from
                closure = closure.sourced(self.previewed(number).packages)
        return closure

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        """Rename downloaded files into the pool.

        Raises:
            BytesDiffer: one came to be there with other bytes.

        """
        self._list(update_id, "new.txt", [package.file for package in packages])
        argv = downloads.add(self._target, update_id)
        result = self._ssh.run(argv, "adding to the pool", SHORT)
        if result.exited == survey.BYTES_DIFFER:
            raise BytesDiffer(self._name, [printable(file) for file in result.stdout.split()])
        self._check(result, argv, "adding to the pool")

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        """Say what would change if the closure followed a publication, in its place if `exact`."""
        return compare(self.packages(live), closure.packages, exact=exact)

    def build(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> str | None:
        """Write the candidate's metadata: the closure, and `live` too unless it is exact.

        Gives what `sign` needs: the SHA-256 of the groups file, empty without one.
        """
        groups = self._describe(update_id, live, closure, publication)
        exact = publication.exact
        argv = repository.build(self._target, self.tools, update_id, live, exact=exact)
        self._run(argv, "running createrepo", self._target.timeout)
        return groups

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> str | None:
        """Write the metadata of a preview: the closure alone, its packages in the pool."""
        groups = self._describe(update_id, live, closure, publication)
        argv = repository.build_preview(self._target, self.tools, update_id, publication.number)
        self._run(argv, "running createrepo", self._target.timeout)
        return groups

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        """Make the candidate live; give the SHA-256 of its repomd.xml.

        Raises:
            Overtaken: something else was published since `live` was looked at.

        """
        following = Publication.directory(publication.number)
        argv = repository.switch(self._target, update_id, live, following)
        result = self._ssh.run(argv, "switching to the candidate", SHORT)
        if result.exited == survey.OVERTAKEN:
            raise Overtaken(self._name, live, shown(result.stdout.strip()))
        repomd = self._digest(self._check(result, argv, "switching"), "switching to the candidate")
        return self._confirm(following, update_id, repomd)

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        """Make the candidate the preview of its pull request; give its repomd.xml's SHA-256."""
        argv = repository.switch_preview(self._target, update_id, publication.number)
        printed = self._run(argv, "switching to the preview")
        repomd = self._digest(printed, "switching to the preview")
        return self._confirm(f"previews/{publication.number}", update_id, repomd)

    def preview(self, number: int) -> Preview | None:
        """Look at a pull request's preview; one that another service made is none."""
        doing = "looking at the preview"
        printed = self._run(repository.preview(self._target, number), doing)
        repomd, _, text = printed.partition("\n")
        with self.answer(doing):
            found = Publication.parse(text)
        if found and self._trust:
            try:
                found = Publication.parse(self._trust.of(f"previews/{number}").publication)
            except Untrusted as error:
                log.warning("%s The preview is not used: its set is solved again.", error)
                return None
        ours = found and found.service in ("", self._service)
        return Preview(found, self._digest(repomd, doing)) if found and ours else None

    def previewed(self, number: int) -> Closure:
        """Give the packages of a pull request's preview, all of them in the pool."""
        return Closure.of_pool(self.packages(f"previews/{number}"))

    def take_preview(self, update_id: str, number: int) -> Closure:
        """Give the packages of a pull request's preview, and put its groups into staging."""
        self.prepare(update_id)
        argv = repository.take_groups(self._target, update_id, number)
        self._run(argv, "taking the preview's groups")
        return self.previewed(number)

    def drop_preview(self, number: int) -> bool:
        """Stop serving a pull request's preview; tell whether there was one."""
        argv = repository.drop_preview(self._target, number)
        return bool(self._run(argv, "removing the preview"))

    def remember(self, live: str, digest: str, mark: str) -> None:
        """Note that the live publication satisfies a manifest, and of which merge that is."""
        argv = repository.remember(self._target, live, digest, mark)
        self._run(argv, "noting the manifest")
        if self._trust:
            with suppress(Untrusted):  # without a statement the manifest is solved again
                statement = self._trust.statement(live).remembering(digest, mark)
                fresh = f"{self._target.root}/{live}/.{seal.FILE}.new"
                self._ssh.put(fresh, self._sealed(statement))
                self._run(repository.reseal(self._target, live, fresh), "noting the manifest")

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> str | None:
        """Write the candidate's metadata: those of an older publication, anew."""
        self.prepare(update_id)
        packages = self._contents(live, closure, publication)
        self._write(update_id, packages, publication, older.manifests)
        groups = self._stage_groups(update_id, older.directory)
        argv = repository.rebuild(self._target, self.tools, update_id, live, older.directory)
        self._run(argv, "running createrepo", self._target.timeout)
        return groups

    def _digest(self, printed: str, doing: str) -> str:
        with self.answer(doing):
            return SHA256.check(printed.strip())

    def _explain(self, update_id: str, live: str, closure: Closure, download: Download) -> Closure:
        """Say which specs wanted the packages of a closure, and what to warn of."""
        paths = [spec for spec in download.specs if spec.startswith("/")]
        argv, doing = (
            downloads.relations(self._target, update_id, paths),
            "reading what packages need",
        )
        result = self._ssh.run(argv, doing, self._target.timeout)
        if result.exited == survey.REFUSED:
            raise self._refused(result, CAPABILITY)
        printed, weak = self._check(result, argv, doing), self._target.weak_dependencies
        with self.packages_of_upstream():
            relations = wanted.parse(printed)
        groups = [spec for spec in download.specs if spec.startswith("@")]
        documents = self._comps(live, update_id) if groups else []
        names = {package.name for package in closure.packages}
        with self.packages_of_upstream():
            members = {spec: comps.members(documents, spec[1:], names) for spec in groups}
        packages = wanted.attribute(
            closure.packages, relations, download.specs, members, weak=weak
        )
        told = wanted.warnings(relations, weak=weak)
        return replace(closure, packages=packages, warnings=told)

    def _describe(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> str:
        """Put what a candidate is made of into staging; give the SHA-256 of its groups."""
        packages = self._contents(live, closure, publication)
        self._write(update_id, packages, publication, (publication.manifest,))
        if groups := [spec.lstrip("@") for spec in publication.specs if spec.startswith("@")]:
            ours, *others = self._comps(live, update_id)
            if self._trust:
                ours = self._trust.groups(live) or b"<comps/>"
            documents = [b"<comps/>", *others, ours] if publication.exact else [ours, *others]
            with self.packages_of_upstream():
                merged = comps.merge(documents, groups) or "<comps/>"
            return self._put_groups(update_id, merged)
        return "" if publication.exact else self._stage_groups(update_id, live)


def _get(url: str) -> requests.Response:
    """Ask the mirror's web server, past caches and without what `~/.netrc` may say of it."""
    return requests.get(url, headers=_FRESH, auth=fetch.NOBODY, timeout=ssh.CONNECT_TIMEOUT)


def _is_signed(mirror: settings.Mirror, repomd: requests.Response) -> bool:
    """Tell whether what was served is signed by the mirror's key, if it has one."""
    if mirror.signing_home is None:
        return True
    reply = _get(f"{repomd.url}.asc")
    key = signing.Key(mirror.signing_home)
    return reply.ok and key.has_signed(repomd.content, reply.content)


def wait_until_visible(mirror: settings.Mirror, repomd: str, below: str = "") -> None:
    """Read repomd.xml as a client does until its SHA-256 is `repomd`, and check its signature.

    `below` is where it lies below the mirror's address, such as `previews/42/`.

    Raises:
        NotVisible: the web server goes on serving something else, or does not answer.

    """
    url = f"{mirror.base_url}{below}repodata/repomd.xml"
    said = ""
    for attempt in range(VISIBLE_ATTEMPTS):
        time.sleep(VISIBLE_PAUSE * attempt)
        try:
            reply = _get(url)
            if not reply.ok or sha256(reply.content).hexdigest() != repomd:
                said = f"{reply.status_code}, not what was published"
            elif not _is_signed(mirror, reply):
                said = "no signature of the mirror's key beside it; the next publication has one"
            else:
                return
        except requests.RequestException as error:
            said = f"{type(error).__name__}: {error}"
    raise NotVisible(mirror.name, url, said)
