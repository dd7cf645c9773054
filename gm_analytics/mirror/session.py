"""A mirror over SSH: the steps of an update, each safe to repeat.

One `Session` is one SSH connection, with the mirror's lock held for as long as it lives. What it
is made of: `host` runs commands, `solver` yum, `archive` looks after the past.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256

import requests

from gm_analytics import settings
from gm_analytics.errors import BadPackages, BytesDiffer, CommandFailed, NotVisible, Overtaken
from gm_analytics.mirror import repository, signing, survey, yum
from gm_analytics.mirror.archive import Archive
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.host import SHORT
from gm_analytics.mirror.publication import Closure, Download, Preview, Publication
from gm_analytics.mirror.yum import words
from gm_analytics.remote import ssh
from gm_analytics.rpm import comps
from gm_analytics.rpm import provenance as wanted
from gm_analytics.rpm.changes import Plan, compare, merge
from gm_analytics.rpm.package import Package

VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2
REPOMD_LIMIT = 2**20
"""Bytes."""
_FRESH = {"Cache-Control": "no-cache"}


class Session(Archive):
    """Runs what `repository` describes and reads what comes back."""

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        """Check the downloaded files, compare them with what is there, say who wanted them.

        Raises:
            BadPackages: a file is damaged.
            BytesDiffer: the pool has a NEVRA with other bytes.

        """
        try:
            argv = repository.inspect(self._target, update_id, live)
            output = self._run(argv, "checking packages", self._target.timeout)
        except CommandFailed as error:
            raise BadPackages(self._name, words(error.output)) from error
        closure = Closure.parse(output, download.rows)
        there = {package.nevra for package in closure.packages}
        if absent := sorted({row.nevra for row in download.rows} - there):
            raise BadPackages(self._name, f"solved, but not downloaded: {', '.join(absent)}")
        if differing := closure.where("differs"):
            raise BytesDiffer(self._name, [package.file for package in differing])
        closure = self._explain(update_id, live, closure, download)
        if any(package.source == yum.PREVIEW_ID for package in closure.packages):
            closure = closure.sourced(self.previewed(number).packages)
        return closure

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        """Rename downloaded files into the pool.

        Raises:
            BytesDiffer: one came to be there with other bytes.

        """
        self._list(update_id, "new.txt", [package.file for package in packages])
        argv = repository.add(self._target, update_id)
        result = self._ssh.run(argv, "adding to the pool", SHORT)
        if result.exited == survey.BYTES_DIFFER:
            raise BytesDiffer(self._name, result.stdout.split())
        self._check(result, argv, "adding to the pool")

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        """Say what would change if the closure followed a publication, in its place if `exact`."""
        return compare(self.packages(live), closure.packages, exact=exact)

    def build(self, update_id: str, live: str, closure: Closure, publication: Publication) -> None:
        """Write the candidate's metadata: the closure, and `live` too unless it is exact."""
        exact = publication.exact
        packages = merge(self.packages(live), closure.packages, exact=exact)
        self._describe(update_id, live, packages, publication)
        argv = repository.build(self._target, self.tools, update_id, live, exact=exact)
        self._run(argv, "running createrepo", self._target.timeout)

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> None:
        """Write the metadata of a preview: the closure alone, its packages in the pool."""
        packages = merge(self.packages(live), closure.packages, exact=True)
        self._describe(update_id, live, packages, publication)
        argv = repository.build_preview(self._target, self.tools, update_id, publication.number)
        self._run(argv, "running createrepo", self._target.timeout)

    def sign(self, update_id: str) -> None:
        """Put a signature beside the candidate's repomd.xml, and the public key into the root.

        Raises:
            SigningFailed: the key did not sign.

        """
        assert self._key is not None  # noqa: S101  # as `signing_key` says
        staging = self._target.staging(update_id)
        repomd = f"{staging}/candidate/repodata/repomd.xml"
        self._ssh.put(f"{repomd}.asc", self._key.sign(self._ssh.get(repomd, REPOMD_LIMIT)))
        self._ssh.put(f"{staging}/{signing.PUBLIC_NAME}", self._key.public)
        argv = repository.offer_key(self._target, update_id, signing.PUBLIC_NAME)
        self._run(argv, "offering the public key")

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        """Make the candidate live; give the SHA-256 of its repomd.xml.

        Raises:
            Overtaken: something else was published since `live` was looked at.

        """
        following = Publication.directory(publication.number)
        argv = repository.switch(self._target, update_id, live, following)
        result = self._ssh.run(argv, "switching to the candidate", SHORT)
        if result.exited == survey.OVERTAKEN:
            raise Overtaken(self._name, live, result.stdout.strip())
        return self._check(result, argv, "switching to the candidate").strip()

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        """Make the candidate the preview of its pull request; give its repomd.xml's SHA-256."""
        argv = repository.switch_preview(self._target, update_id, publication.number)
        return self._run(argv, "switching to the preview").strip()

    def preview(self, number: int) -> Preview | None:
        """Look at a pull request's preview."""
        printed = self._run(repository.preview(self._target, number), "looking at the preview")
        repomd, _, text = printed.partition("\n")
        found = Publication.parse(text)
        return Preview(found, repomd) if found else None

    def previewed(self, number: int) -> Closure:
        """Give the packages of a pull request's preview, all of them in the pool."""
        listed = self._run(repository.preview_packages(self._target, number), "listing packages")
        packages = tuple(map(Package.from_line, listed.splitlines()))
        return Closure.of_pool(packages)

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

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> None:
        """Write the candidate's metadata: those of an older publication, anew."""
        self.prepare(update_id)
        self._write(update_id, closure.packages, publication, older.manifests)
        argv = repository.rebuild(self._target, self.tools, update_id, live, older.directory)
        self._run(argv, "running createrepo", self._target.timeout)

    def _explain(self, update_id: str, live: str, closure: Closure, download: Download) -> Closure:
        """Say which specs wanted the packages of a closure, and what to warn of."""
        paths = [spec for spec in download.specs if spec.startswith("/")]
        argv = repository.relations(self._target, update_id, paths)
        printed = self._run(argv, "reading what packages need", self._target.timeout)
        relations, weak = wanted.parse(printed), self._target.weak_dependencies
        groups = [spec for spec in download.specs if spec.startswith("@")]
        documents = self._comps(live, update_id) if groups else []
        names = {package.name for package in closure.packages}
        members = {spec: comps.members(documents, spec[1:], names) for spec in groups}
        packages = wanted.attribute(
            closure.packages, relations, download.specs, members, weak=weak
        )
        told = wanted.warnings(relations, weak=weak)
        return replace(closure, packages=packages, warnings=told)

    def _describe(
        self, update_id: str, live: str, packages: list[Package], publication: Publication
    ) -> None:
        """Put what a candidate is made of into staging."""
        self._write(update_id, packages, publication, (publication.manifest,))
        if groups := [spec.lstrip("@") for spec in publication.specs if spec.startswith("@")]:
            ours, *others = self._comps(live, update_id)
            documents = [b"<comps/>", *others, ours] if publication.exact else [ours, *others]
            staging = self._target.staging(update_id)
            self._ssh.put(f"{staging}/comps.xml", comps.merge(documents, groups) or "<comps/>")

    def _write(
        self,
        update_id: str,
        packages: Iterable[Package],
        publication: Publication,
        manifests: Iterable[str],
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        files = {
            "packages.txt": "".join(package.line() + "\n" for package in packages),
            "publication.json": json.dumps(asdict(publication) | {"published_at": now}, indent=2)
            + "\n",
            "manifests.txt": "".join(digest + "\n" for digest in manifests),
        }
        for name, text in files.items():
            self._ssh.put(self._target.staging(update_id, name), text)


def _is_signed(mirror: settings.Mirror, repomd: requests.Response) -> bool:
    """Tell whether what was served is signed by the mirror's key, if it has one."""
    if mirror.signing_home is None:
        return True
    reply = requests.get(f"{repomd.url}.asc", headers=_FRESH, timeout=ssh.CONNECT_TIMEOUT)
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
            reply = requests.get(url, headers=_FRESH, timeout=ssh.CONNECT_TIMEOUT)
            if not reply.ok or sha256(reply.content).hexdigest() != repomd:
                said = f"{reply.status_code}, not what was published"
            elif not _is_signed(mirror, reply):
                said = "no signature of the mirror's key beside it; the next publication has one"
            else:
                return
        except requests.RequestException as error:
            said = f"{type(error).__name__}: {error}"
    raise NotVisible(mirror.name, url, said)
