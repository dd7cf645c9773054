"""`gm-analytics check`: each part of an installation, a fact or the fix a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gm_analytics import contract, settings
from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import AnotherService, ConfigurationChanged, GmError, StoreUnavailable
from gm_analytics.github.client import GitHub
from gm_analytics.mirror import survey
from gm_analytics.mirror.basis import basis_of, changes
from gm_analytics.mirror.host import usable
from gm_analytics.mirror.served import wait_until_visible
from gm_analytics.mirror.session import Session
from gm_analytics.operations import permissions, rights
from gm_analytics.operations.findings import Finding, look, wrong
from gm_analytics.operations.work import workers
from gm_analytics.pull_requests import reconciler
from gm_analytics.secret_files import Unread, unread


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
    if work:
        yield workers(work)
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
    name = _identity(identity)
    for mirror in config.mirrors:
        now = basis_of(mirror, config.publish)
        if found := hidden[mirror.name]:
            yield _hidden(f"mirror {mirror.name}", found, is_web)
        else:
            yield from _mirror(mirror, name, now)


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
    return f"{who} accepted by {config.api_url}: {left} of {limit} calls left"


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
        where = f"{mirror.user}@{mirror.address}:{mirror.port}"
        yield Finding(name, "ok", f"SSH to {where}, host key as in {mirror.known_hosts}")
        if printed := session.host.ssh.printed_by_login:
            hint = "See the start files of the account's shell; nothing of it is taken for output."
            yield Finding(f"{name} login", "warn", f"it prints, which is skipped: {printed}", hint)
        if service and owner.is_other(service):
            yield wrong(name, AnotherService(mirror.name, owner.published, service))
        if changed := changes(found.publication, now):
            yield wrong(name, ConfigurationChanged(mirror.name, changed))
        yield from _host(name, mirror, found)
        yield look(f"{name} upstream", session.package_manager.upstream)
        yield look(f"{name} key", lambda: _key(mirror, session))
    if found.state == "live":
        yield look(f"{name} web", lambda: _web(mirror, found.repomd))


def _host(name: str, mirror: settings.Mirror, found: survey.Survey) -> Iterator[Finding]:
    yield look(f"{name} tools", lambda: _tools(mirror, found))
    subject, account = f"{name} root", mirror.user
    if found.state == "unwritable":
        hint = f"Make it and give it to {account}."
        yield Finding(subject, "fail", f"{account} cannot write {mirror.root}", hint)
    else:
        yield Finding(subject, "ok", f"{mirror.root}: {found.state}")
    said, hint = f"{found.free:,} bytes free in {mirror.root}", ""
    if found.free < mirror.disk_reserve:
        hint = f"That is less than disk_reserve: see `gm-analytics gc {mirror.name}`."
    yield Finding(f"{name} disk", "fail" if hint else "ok", said, hint)


def _tools(mirror: settings.Mirror, found: survey.Survey) -> str:
    tools = usable(mirror, found)
    return f"{tools.manager} at {tools.manager_path}, {tools.createrepo}, {_privilege(tools)}"


def _privilege(tools: survey.Tools) -> str:
    return {
        "none": "as root",
        "userns": "in a user namespace, without root",
        "helper": "through the sudo helper, since user namespaces are not allowed there",
    }[tools.elevation]


def _key(mirror: settings.Mirror, session: Session) -> str:
    if not (fingerprint := session.signer.signing_key):
        return "no signing_home: metadata is not signed"
    return f"metadata is signed by {fingerprint}, in {mirror.signing_home}"


def _web(mirror: settings.Mirror, repomd: str) -> str:
    wait_until_visible(mirror, repomd)
    return f"{mirror.base_url} serves the live publication"
