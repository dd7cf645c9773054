"""`gm-analytics check`: each part of an installation, a fact or the fix a line."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gm_analytics import contract, settings
from gm_analytics.errors import AnotherService, ConfigurationChanged, GmError, StoreUnavailable
from gm_analytics.github.client import GitHub
from gm_analytics.mirror.basis import basis_of, changes
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.signing import Key
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import hosts, own_manifests, permissions, rights, served, web
from gm_analytics.operations.findings import Finding, look, wrong
from gm_analytics.operations.hosts import SESSIONS
from gm_analytics.operations.work import outdated, workers
from gm_analytics.pull_requests import reconciler
from gm_analytics.remote import fetch, opening
from gm_analytics.secret_files import Unread, unread

if TYPE_CHECKING:
    from gm_analytics.engine.workforce import Workforce

STORE_RESERVE = 64 * 1024 * 1024
"""Bytes."""


def run(
    config: settings.Settings,
    store: Callable[[], str],
    identity: Callable[[], str],
    renamed: Callable[[], Mapping[str, str]] = dict,
    *,
    work: Callable[[], Workforce] | None = None,
) -> Iterator[Finding]:
    """Look at every part, going on after what is wrong; `store` asks the database.

    `renamed` gives what configured repositories are called now, if it is something else.
    """
    repositories = ", ".join(config.webhook.repositories)
    yield Finding("configuration", "ok", f"deliveries of {repositories}; publish {config.publish}")
    yield from _files(config)
    yield look("specification", contract.summary)
    yield look("store", store)
    yield from room(config.database_url)
    if work:
        yield workers(work)
        yield from outdated(work, config.files.config) if config.files else ()
        yield from web.findings(config)
    yield from _renamed(renamed)
    hidden = {m.name: unread("identity_file", m.identity_file) for m in config.mirrors}
    # The web needs neither key nor token. Whoever may not read the webhook secret is the worker.
    is_web = not config.webhook.unread and all(hidden.values())
    yield _intake(config)
    if config.github.unread:
        yield _hidden("github", config.github.unread, is_web)
    else:
        yield look("github", lambda: _github(config.github))
        yield from rights.findings(config)
        yield from own_manifests.findings(config, GitHub(config.github).manifest)
    name = _identity(identity)
    for mirror in config.mirrors:
        now = basis_of(mirror, config.publish)
        if found := hidden[mirror.name]:
            yield _hidden(f"mirror {mirror.name}", found, is_web)
        else:
            yield from _mirror(mirror, name, now)


def room(database_url: str) -> Iterator[Finding]:
    """Tell of a disk that will not hold the store for long; PostgreSQL's is somebody else's."""
    place = Path(database_url.removeprefix("sqlite:///")).parent
    if not database_url.startswith("sqlite:") or not place.is_dir():
        return
    found = os.statvfs(place)
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail
    if free < STORE_RESERVE or (found.f_files and inodes < hosts.FEW_INODES):
        said = f"{free:,} bytes and {inodes:,} inodes free in {place}"
        hint = "Add disk: without it deliveries are answered with 503."
        yield Finding("store disk", "fail", said, hint)


def _renamed(renamed: Callable[[], Mapping[str, str]]) -> Iterator[Finding]:
    """Tell of repositories that have another name; the store has a line of its own if it fails."""
    try:
        found = renamed()
    except StoreUnavailable:
        return
    for old, new in found.items():
        hint = f"Write {new} into webhook.repositories, and into mirrors[].repositories."
        yield Finding("repositories", "warn", f"{old} is called {new} now", hint)


def _intake(config: settings.Settings) -> Finding:
    webhook = config.webhook
    if config.polls:
        said = f"not used: intake is poll, a look at GitHub every {reconciler.pause(config):g} s"
        return Finding("webhook", "ok", said)
    if webhook.unread:
        return Finding("webhook", "ok", f"not seen; only the web needs it. {webhook.unread}")
    return Finding("webhook", "ok", "the secret can be read")


def _hidden(subject: str, found: Unread, is_web: bool) -> Finding:
    who = "not seen; only the worker needs it. " if is_web else ""
    return Finding(subject, "ok" if is_web else "fail", f"{who}{found}")


def _files(config: settings.Settings) -> Iterator[Finding]:
    flaws = permissions.look(config, as_check=True)
    for flaw in flaws:
        yield Finding("files", "fail" if flaw.fatal else "warn", str(flaw))
    if not flaws:
        yield Finding("files", "ok", "nobody else can change them, or read secrets")


def _github(config: settings.GitHub) -> str:
    if not config.has_token:
        return f"no token: manifests of public repositories are read from {config.raw_url}"
    left, limit = GitHub(config).calls_left()
    who = f"GitHub App {config.app_id}" if config.has_app else "token"
    url = str(config.api_url)  # what is on loopback is asked directly
    way = fetch.Way(config.proxy).through(url) if config.api_url.scheme == "https" else ""
    return f"{who} accepted by {url}{way}: {left} of {limit} calls left"


def _identity(identity: Callable[[], str]) -> str:
    """Give the service's id; the store has a line of its own if it cannot."""
    try:
        return identity()
    except StoreUnavailable:
        return ""


def _mirror(mirror: settings.Mirror, service: str, now: dict[str, str]) -> Iterator[Finding]:
    name = f"mirror {mirror.name}"
    with Session(mirror, locked=False) as session:  # an update need not wait for who only looks
        try:
            found = session.host.look()
            owner = session.host.owner()
        except GmError as error:
            yield wrong(name, error)
            return
        yield Finding(name, "ok", _reached(mirror))
        if printed := session.host.ssh.printed_by_login:
            hint = "See the start files of the account's shell; nothing of it is taken for output."
            yield Finding(f"{name} login", "warn", f"it prints, which is skipped: {printed}", hint)
        if service and owner.is_other(service):
            yield wrong(name, AnotherService(mirror.name, owner.published, service))
        if changed := changes(found.publication, now):
            yield wrong(name, ConfigurationChanged(mirror.name, changed))
        yield from _refused(f"{name} sessions", lambda: session.host.ssh.see_sessions(SESSIONS))
        previews = now["publish"] == "on_merge"
        yield from _looked_at(name, mirror, session, found, previews=previews)


def _reached(mirror: settings.Mirror) -> str:
    return f"SSH to {opening.End.of(mirror).text}, host key as in {mirror.known_hosts}"


def _refused(subject: str, attempt: Callable[[], None]) -> Iterator[Finding]:
    """Tell of what is refused, and of nothing else."""
    try:
        attempt()
    except GmError as error:
        yield wrong(subject, error)


def _looked_at(
    name: str, mirror: settings.Mirror, session: Session, found: Survey, *, previews: bool
) -> Iterator[Finding]:
    """Look at the host and its web server; the probe for that one goes again."""
    word, before = secrets.token_hex(32), time.time()
    try:
        seen = session.host.examine(found.tools, word)
    except GmError as error:
        yield wrong(f"{name} root", error)
        return
    try:
        when = (before, time.time())
        yield from hosts.findings(mirror, found, seen, when, previews=previews)
        yield look(f"{name} upstream", session.package_manager.upstream)
        yield look(f"{name} key", lambda: _key(mirror, session, found))
        probe = (seen.probe, word) if seen.probe else None
        yield from served.findings(mirror, session, found, probe)
    finally:
        session.host.unprobe(seen.probe)


def _key(mirror: settings.Mirror, session: Session, found: Survey) -> str:
    session.refuse_unsigned(found)
    if not session.signer.signing_key or not mirror.key_home:
        why = "signing: off" if mirror.signing_home else "no signing_home"
        return f"{why}: metadata is not signed"
    key = Key(mirror.key_home)
    more = len(key.fingerprints) > 1
    again = "; `gm-analytics key --retire` removes the older one once clients have both"
    return f"metadata is signed by {key.names}, in {key.home}{again if more else ''}"
