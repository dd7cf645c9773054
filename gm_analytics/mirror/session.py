"""An open mirror: one host, and over it package manager, publisher, signer, publications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from gm_analytics import settings
from gm_analytics.errors import CommandFailed, ConfigurationChanged, SignedBefore
from gm_analytics.mirror import (
    adoption,
    checking,
    repository,
    signing,
    survey,
)
from gm_analytics.mirror.addresses import below
from gm_analytics.mirror.advice import Adviser
from gm_analytics.mirror.basis import changes
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.ledger import Ledger
from gm_analytics.mirror.mending import Mender
from gm_analytics.mirror.package_manager import PackageManager
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.publications import Publications
from gm_analytics.mirror.publisher import Publisher
from gm_analytics.mirror.reading import Reader
from gm_analytics.mirror.served import SIGNATURE
from gm_analytics.mirror.signer import Signer
from gm_analytics.mirror.survey import Survey
from gm_analytics.mirror.trust import Trust
from gm_analytics.remote.lines import Hear, ignore
from gm_analytics.remote.stop import Stop
from gm_analytics.rpm.package import Package


class Session:
    """One mirror, opened by its first command and closed by `with`.

    `locked=False` is for who only reads. With a `service` who writes is refused where another
    one publishes; `taking_over` is not.
    """

    def __init__(
        self,
        mirror: settings.Mirror,
        *,
        locked: bool = True,
        service: str = "",
        taking_over: bool = False,
        hear: Hear = ignore,
        stop: Stop | None = None,
        basis: Mapping[str, str] | None = None,
    ) -> None:
        key = signing.Key(mirror.key_home) if mirror.key_home else None
        self.host = Host(mirror, locked=locked, service=service, taking_over=taking_over)
        self.host.ssh.hear = hear
        self.host.ssh.stop = stop or Stop()
        self.host.basis = dict(basis or {})
        self.accepts_changes = False
        self._trust = Trust(mirror, key, Ledger(key.home), self.get) if key else None
        self.package_manager = PackageManager(self.host)
        self.mender = Mender(self.host, self.package_manager)
        self.reader = Reader(self.host, self._trust, self.package_manager.ask_upstream)
        adviser = Adviser(self.reader)
        self.publications = Publications(self.host, self.package_manager, self._trust, adviser)
        self.signer = Signer(self.host, self.publications, key, self._trust)
        self.publisher = Publisher(
            self.host, self.package_manager, self.publications, self.signer, self.reader
        )

    def get(self, path: str, most: int) -> bytes | None:
        """Read a file of at most so many bytes, given its path below the root; None without it."""
        return self.host.ssh.get(f"{self.host.config.root}/{path}", most)

    def sweep(self, update_id: str) -> None:
        """Remove what an update left in staging."""
        self.host.sweep(update_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.host.close()

    def survey(self) -> Survey:
        """Look at the mirror; an empty or a plain repository is taken over first.

        Raises:
            ToolsMissing: the host lacks a program.
            SigningFailed: a key is configured, and cannot be used.
            SignedBefore: none is configured, and what is there is signed.
            Untrusted: something else is live than what was signed.
            ConfigurationChanged: what is live was made with another configuration.

        """
        _ = self.signer.signing_key  # fails before anything is downloaded
        found = self._writable()
        self.refuse_unsigned(found)
        if found.state != "live":
            if self._trust:
                self._trust.refuse_a_new_repository()
            adoption.establish(self.host, found.state)
            found = self.host.find_tools()
        found = self._vouch(found)
        changed = changes(found.publication, self.host.basis)
        if changed and not self.accepts_changes:
            raise ConfigurationChanged(self.host.name, changed)
        if self.host.unclaimed:
            self.host.claim(found.live)
        named = below(self.host.config, Publication.number_of(found.live))
        return replace(found, moved=found.mirrorlist not in {"", named})

    def refuse_unsigned(self, found: Survey) -> None:
        """Refuse to go on without a signature where clients may ask for one.

        Raises:
            SignedBefore: what is there is signed, and the configuration has no key, nor says that
                this is meant.

        """
        if self._trust or self.host.config.signing == "off":
            return
        made, _ = Publication.read(found.publication, there=False)
        if made and made.key:
            raise SignedBefore(self.host.name, f"by the key {made.key}")
        if found.state == "plain" and self.get(SIGNATURE, checking.MAX_REPOMD) is not None:
            raise SignedBefore(self.host.name, "by whoever made it")

    def look(self) -> tuple[Survey, tuple[Package, ...]]:
        """Look at the mirror as `survey`, and at what is live, and change nothing.

        Of a repository that is not taken over yet it gives what that would be.

        Raises:
            Untrusted: something else is live than what was signed.

        """
        found = self._writable()
        if found.state == "plain":
            return found, adoption.packages(self.host)
        if found.state != "live":
            return found, ()
        vouched = self.publications.vouch(found.live, found.repomd)
        return found, vouched.packages if vouched else self.publications.packages(found.live)

    def _writable(self) -> Survey:
        found = self.host.find_tools()
        if found.state == "unwritable":
            argv = list(survey.survey(self.host.target))
            said = f"{self.host.config.user} cannot write {self.host.config.root}"
            raise CommandFailed(self.host.name, "looking at the repository", argv, 1, said)
        return found

    def adopt(self) -> Survey:
        """Trust what a mirror with a key holds now, whatever it is, and note it."""
        if self._trust:
            found = self.host.find_tools()
            if found.state == "live":
                self._trust.take(found.live, self._sums)
            else:
                self._trust.forget()
        return self.survey()

    def _vouch(self, found: Survey) -> Survey:
        """Believe of what is live what was signed, and note that it was seen."""
        if self._trust is None:
            return found
        vouched = self._trust.live(found.live, found.repomd)
        self._trust.adopt(found.live, self._sums)
        said = vouched.statement
        found = replace(found, publication=vouched.publication, vouched=said is not None)
        return replace(found, manifests=said.manifests, mark=said.mark) if said else found

    def _sums(self) -> dict[str, str]:
        printed = self.host.run(repository.made_of(self.host.target), "adopting what is there")
        return repository.parse_made_of(printed)
