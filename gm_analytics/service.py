"""The one place where the parts are put together."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gm_analytics import settings
from gm_analytics.engine.client import Store
from gm_analytics.engine.steps import DurableStep, Retry
from gm_analytics.engine.worker import worker
from gm_analytics.errors import ConfigError, DeliveryError, GmError, StoreUnavailable
from gm_analytics.github.client import GitHub
from gm_analytics.github.webhook import Delivery, Policy, PullRequest, verify
from gm_analytics.manifest import Manifest
from gm_analytics.mirror import session as mirror
from gm_analytics.mirror import signing
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.publication import Download
from gm_analytics.mirror.retention import Collected
from gm_analytics.mirror.survey import Survey
from gm_analytics.pull_requests import admission, feedback
from gm_analytics.rpm.changes import Plan, compare, diff
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Kind, Outcome, Update
from gm_analytics.updates.story import Step, digest, perform, perform_locked, placed, rollback

STORE_DEADLINE = 8.0
"""Seconds; GitHub takes a delivery for failed after 10."""
INTAKE_THREADS = 8
PAGE = "/ci_server/updates"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What a caller gets."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)


class Service:
    """Everything that one configuration stands for; parts are made when first used."""

    def __init__(self, config: Settings) -> None:
        self.settings = config
        webhook = config.webhook
        self._policy = Policy(
            frozenset(webhook.repositories),
            frozenset[str](webhook.trusted_associations),
            on_merge=self.settings.publishes_on_merge,
            branch=webhook.branch,
        )
        # SQLite has one writer at a time; more would only wait for each other in growing pauses.
        writers = 1 if config.database_url.startswith("sqlite") else INTAKE_THREADS
        self._threads = ThreadPoolExecutor(writers, thread_name_prefix="intake")

    @classmethod
    def from_file(cls, path: Path | None = None) -> Service:
        """Read the configuration, by default from the usual places.

        Raises:
            ConfigError: it cannot be used.

        """
        return cls(settings.load(settings.find(path)))

    @cached_property
    def store(self) -> Store:
        """The durable store.

        Raises:
            StoreUnavailable: it cannot be opened.

        """
        return Store(self.settings.database_url)

    @cached_property
    def identity(self) -> str:
        """Which service this is, as publications carry it.

        Raises:
            StoreUnavailable: the database that keeps it did not answer.

        """
        return self.settings.service_id or self.store.identity()

    # --- intake ---------------------------------------------------------------------------

    def receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take a webhook call; `headers` with lower-case names.

        The signature comes before anything else is looked at, and an update is on disk before
        this returns.
        """
        try:
            verify(self.settings.webhook.secret, body, headers.get("x-hub-signature-256"))
            delivery = Delivery.parse(headers, body)
            return self._decide(delivery)
        except DeliveryError as error:
            log.warning("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(error.status, {"command_return": "refused", "reason": error.public})
        except StoreUnavailable as error:
            log.error("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(503, {"command_return": "unavailable", "reason": error.public})
        except ConfigError as error:
            log.error("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(503, {"command_return": "unavailable", "reason": "configuration"})

    def _decide(self, delivery: Delivery) -> Reply:
        if delivery.event == "ping":
            return Reply(200, {"command_return": "pong"})
        pull = delivery.pull_request
        reason = self._policy.reason_to_ignore(delivery)
        mirrors = self.settings.mirrors_of(pull.repository) if pull else []
        if reason is None and not mirrors:
            reason = "no mirror is configured for this repository"
        if reason is not None or pull is None:
            log.info("delivery %s: ignored: %s", delivery.id, reason)
            return Reply(200, {"command_return": "ignored", "reason": reason})
        for one in mirrors:
            name = delivery.id if len(mirrors) == 1 else f"{delivery.id}@{one.name}"
            self._store(self._update(name, one.name, pull))
        log.info("delivery %s: accepted %s at %s", delivery.id, pull.key, pull.head_sha)
        return Reply(202, self._accepted(delivery.id))

    def _update(self, name: str, mirror_name: str, pull: PullRequest) -> Update:
        return Update(
            name,
            mirror_name,
            pull.repository,
            pull.number,
            pull.head_sha,
            time.time(),
            kind=self._policy.kind_of(pull),
            merge_sha=pull.merge_commit_sha if pull.merged else "",
            merged_at=pull.merged_at,
            updated_at=pull.updated_at,
        )

    def _store(self, update: Update) -> None:
        """Store within the time that GitHub waits; storing twice is harmless."""
        try:
            stored = self._threads.submit(lambda: self.store.enqueue(update))
            new = stored.result(STORE_DEADLINE)
        except FutureTimeoutError as error:
            doing = f"storing update {update.id}"
            raise StoreUnavailable(doing, f"no answer within {STORE_DEADLINE:g} s") from error
        if new:
            # GitHub does not wait for it, and what is lost with the process is said at the end.
            self._threads.submit(self._give_feedback, update, ended=False)

    def _give_feedback(self, update: Update, *, ended: bool) -> None:
        """Have the worker tell the pull request, if a token is configured; never fail for it.

        The web need not be able to read the token.
        """
        if not self.settings.github.has_token or not update.pull_request:
            return
        if update.kind == "close" and not ended:
            return  # there may be no preview, and then nothing to tell of
        try:
            self.store.enqueue_feedback(update, ended=ended)
        except StoreUnavailable as error:
            log.error("update %s: no feedback: %s", update.id, error)

    def _accepted(self, update_id: str) -> dict[str, Any]:
        page = f"{PAGE}/{update_id}"
        return {
            "command_return": "accepted",
            "update_id": update_id,
            "status_url": self.page(update_id) or page,
        }

    def page(self, update_id: str) -> str:
        """Give the address of an update's status page, empty if the outside cannot reach it."""
        public = str(self.settings.public_url or "").rstrip("/")
        return f"{public}{PAGE}/{update_id}" if public else ""

    # --- work -----------------------------------------------------------------------------

    def reason_to_ignore(self, update: Update) -> str | None:
        """Say why the worker is not to perform what the web stored, or None."""
        return admission.reason_to_ignore(update, self.settings)

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Perform updates in this process until the block ends."""
        retry = Retry(self.settings.retry_attempts, self.settings.retry_seconds)
        parts = StoredParts(self)

        def run(update: Update, step: DurableStep) -> Outcome:
            # Not a step: updates that an earlier version began have none here.
            if reason := self.reason_to_ignore(update):
                return Outcome("ignored", reason)
            try:
                outcome = perform(update, parts, step)
            except GmError:
                self._give_feedback(update, ended=True)
                raise
            if (update.kind, outcome.state) != ("close", "unchanged"):  # nothing to tell of
                self._give_feedback(update, ended=True)
            return outcome

        config, report = self.settings, Reporter(self)
        with worker(config.database_url, run, report, retry, config.executor_id):
            yield

    def apply(
        self, manifest: Manifest, mirror_name: str, step: Any, lock: Lock | None = None
    ) -> Outcome:
        """Perform an update from a manifest at hand, without GitHub and without the store.

        With a lock file, its RPMs are taken, bit for bit.
        """
        kind: Kind = "merge" if self.settings.publishes_on_merge else "add"
        update = Update(f"apply-{uuid.uuid4()}", mirror_name, kind=kind)
        parts = LocalParts(self, manifest)
        return perform_locked(update, lock, parts, step) if lock else perform(update, parts, step)

    def plan(self, manifest: Manifest, mirror_name: str) -> Plan:
        """Say what `apply` would change; nothing that clients see is touched."""
        name = f"plan-{uuid.uuid4()}"
        with self.session(mirror_name) as session:
            live: Survey = session.survey()
            try:
                with placed(manifest):
                    solved: Download = session.resolve(name, manifest.specs)
                exact = self.settings.publishes_on_merge
                return diff(session.packages(live.live), solved.rows, exact=exact)
            finally:
                session.sweep(name)

    def key(self, mirror_name: str) -> signing.Key:
        """Give the key that signs a mirror's metadata; it may be yet to be made.

        Raises:
            ConfigError: the mirror has none configured.

        """
        home = self.settings.mirror(mirror_name).signing_home
        if home is None:
            expected = "a directory such as /var/lib/gm_analytics_worker/signing"
            said = f"mirrors[].signing_home: {mirror_name} has none; expected {expected}"
            raise ConfigError("mirrors", [said])
        return signing.Key(home)

    def session(self, mirror_name: str, *, taking_over: bool = False) -> mirror.Session:
        """Give a session that may write; it is refused where another service publishes."""
        return mirror.Session(
            self.settings.mirror(mirror_name), service=self.identity, taking_over=taking_over
        )

    def other_service(self, session: mirror.Session) -> Owner | None:
        """Give the other service that publishes on a mirror, for who only reads it."""
        try:
            owner = session.owner()
            return owner if owner.is_other(self.identity) else None
        except StoreUnavailable as error:  # then it cannot be told
            log.warning("%s", error)
            return None

    def take_over(self, mirror_name: str, seen: Owner) -> bool:
        """Publish on a mirror from this service from now on; tell whether it was as `seen`."""
        with self.session(mirror_name, taking_over=True) as session:
            if session.owner() != seen:
                return False
            session.claim(seen.live)
        return True

    def adopt(self, mirror_name: str) -> tuple[str, int]:
        """Trust what a mirror with a key holds now; give the live publication, its packages.

        Raises:
            ConfigError: the mirror has no key.

        """
        self.key(mirror_name)
        with mirror.Session(self.settings.mirror(mirror_name)) as session:
            live = session.adopt().live
            return live, len(session.packages(live))

    # --- the past of a mirror -------------------------------------------------------------

    def reading(self, mirror_name: str) -> mirror.Session:
        """Give a session that only reads, so that it takes no lock."""
        return mirror.Session(self.settings.mirror(mirror_name), locked=False)

    def digest(self, manifest: Manifest, mirror_name: str) -> str:
        """Give what a publication keeps that satisfies a manifest as a mirror is configured."""
        policy = LocalParts(self, None).policy(Update("", mirror_name))
        return digest(manifest, policy, exact=self.settings.publishes_on_merge)

    def compare(self, mirror_name: str, before: int, after: int) -> Plan:
        """Say how two publications differ."""
        with self.reading(mirror_name) as session:
            known = [session.publication(number).directory for number in (before, after)]
            return compare(*map(session.packages, known), exact=True)

    def lock(self, mirror_name: str, number: int | None) -> Lock:
        """Give the lock file of a publication, by default the live one's."""
        with self.reading(mirror_name) as session:
            held = session.publication(number)
            return Lock.of(mirror_name, held, session.packages(held.directory))

    def rollback(self, mirror_name: str, number: int | None, step: Any) -> Outcome:
        """Make an older publication's set live again, by default the one before the live one."""
        update = Update(f"rollback-{uuid.uuid4()}", mirror_name, kind="rollback")
        return rollback(update, number, LocalParts(self, None), step)

    def collect(self, mirror_name: str, *, dry_run: bool) -> Collected:
        """Remove what retention does not keep, or say what would be."""
        name = f"gc-{uuid.uuid4()}"
        with self.session(mirror_name) as session:
            try:
                return session.collect(name, dry_run=dry_run)
            finally:
                session.sweep(name)


class LocalParts:
    """The parts of an update that a person applies."""

    def __init__(self, service: Service, manifest: Manifest | None) -> None:
        self._service = service
        self._manifest = manifest

    def is_superseded(self, update: Update) -> bool:  # noqa: ARG002  # as `Parts` has it
        """Nothing supersedes what a person asks for."""
        return False

    def manifest(self, update: Update) -> Manifest:  # noqa: ARG002
        """Give the manifest at hand."""
        assert self._manifest is not None  # noqa: S101  # given by `Service.apply`
        return self._manifest

    def policy(self, update: Update) -> str:
        """Give the upstream part of the mirror's configuration."""
        return self._mirror(update).upstream.model_dump_json()

    def session(self, update: Update) -> mirror.Session:
        """Give a session with the update's mirror."""
        return self._service.session(update.mirror)

    def wait_until_visible(self, update: Update, repomd: str) -> None:
        """Wait until clients are served this repomd.xml."""
        mirror.wait_until_visible(self._mirror(update), repomd)

    def preview_url(self, update: Update) -> str:
        """Give the address of the pull request's preview."""
        return f"{self._mirror(update).base_url}{_preview(update)}"

    def contains(self, update: Update, commit: str) -> bool:  # noqa: ARG002
        """Nothing orders what a person applies."""
        return False

    def wait_until_previewed(self, update: Update, repomd: str) -> None:
        """Wait until the preview is served with this repomd.xml."""
        mirror.wait_until_visible(self._mirror(update), repomd, _preview(update))

    def _mirror(self, update: Update) -> settings.Mirror:
        return self._service.settings.mirror(update.mirror)


class StoredParts(LocalParts):
    """The parts of an update that came through the store."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, None)
        self._github = GitHub(service.settings.github)

    def is_superseded(self, update: Update) -> bool:
        """Ask the store."""
        return self._service.store.is_superseded(update)

    def manifest(self, update: Update) -> Manifest:
        """Read it from GitHub: of a merge at the merge commit, else at the head."""
        return Manifest.parse(self._github.manifest(update.repository, update.commit))

    def contains(self, update: Update, commit: str) -> bool:
        """Ask GitHub."""
        return self._github.contains(update.repository, commit, update.merge_sha)


def _preview(update: Update) -> str:
    return f"previews/{update.number}/"


class Reporter:
    """Says on pull requests how their updates fare."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._github = GitHub(service.settings.github)

    def __call__(self, update: Update, ended: bool, step: Step) -> None:
        """Set the status; once the update has `ended`, which is then near, write the comment.

        Either is tried if the other is refused, since their rights are given separately.

        Raises:
            GmError: why GitHub was not told, the last reason if there are two.

        """
        if not self._service.settings.github.token:
            return
        if reason := self._service.reason_to_ignore(update):
            log.warning("feedback on update %s: ignored: %s", update.id, reason)
            return
        if ended:
            step("await end", self._service.store.await_end, update.id)
        refused = None
        for name, say in [("status", self.set_status), ("comment", self.put_comment)][: 1 + ended]:
            try:
                step(name, say, update)
            except GmError as error:
                log.error("feedback on update %s: %s: %s", update.id, name, error)
                refused = error
        if refused:
            raise refused

    def set_status(self, update: Update) -> None:
        """Set the status of the update's commit, unless a newer update has spoken for it."""
        for record in self._service.store.of_pull_request(update.pull_request):
            other = record.update
            if (other.mirror, other.commit) == (update.mirror, update.commit):
                break
        else:
            return
        status = feedback.status(self._service.store.whole(record))
        self._github.set_status(
            update.repository,
            update.commit,
            status.state,
            description=status.description,
            url=self._service.page(other.id),
            context=f"gm-analytics/{update.mirror}",
        )

    def put_comment(self, update: Update) -> None:
        """Write what the newest update of each mirror did, whichever ended last."""
        records = self._service.store.of_pull_request(update.pull_request)
        newest = {record.update.mirror: record for record in reversed(records)}
        whole = [self._service.store.whole(newest[name]) for name in sorted(newest)]
        text = feedback.comment(whole, self._service.page)
        self._github.put_comment(update.repository, update.number, feedback.MARKER, text)


class DirectStep:
    """Runs each step at once, inside the context that `listen` gives for its name."""

    def __init__(self, listen: Any) -> None:
        self._listen = listen

    def __call__(self, name: str, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Give what the function returns."""
        with self._listen(name):
            return function(*args, **kwargs)
