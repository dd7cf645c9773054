"""`gm-analytics check`: each part of an installation, a fact or the fix a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gm_analytics import contract, settings
from gm_analytics.errors import GmError, StoreUnavailable
from gm_analytics.github.client import GitHub
from gm_analytics.mirror import survey
from gm_analytics.mirror.served import wait_until_visible
from gm_analytics.mirror.session import Session
from gm_analytics.operations import permissions
from gm_analytics.secret_files import Unread, unread


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is good, and the fact or the fix."""

    subject: str
    good: bool
    said: str


def run(
    config: settings.Settings, store: Callable[[], str], identity: Callable[[], str]
) -> Iterator[Finding]:
    """Look at every part, going on after what is wrong; `store` asks the database."""
    repositories = ", ".join(config.webhook.repositories)
    yield Finding("configuration", True, f"deliveries of {repositories}; publish {config.publish}")
    yield from _files(config)
    yield _one("specification", contract.summary)
    yield _one("store", store)
    hidden = {m.name: unread("identity_file", m.identity_file) for m in config.mirrors}
    # The web needs neither key nor token. Whoever may not read the webhook secret is the worker.
    is_web = not config.webhook.unread and all(hidden.values())
    yield _secret(config.webhook)
    if config.github.unread:
        yield _hidden("github", config.github.unread, is_web)
    else:
        yield _one("github", lambda: _github(config.github))
    name = _identity(identity)
    for mirror in config.mirrors:
        if found := hidden[mirror.name]:
            yield _hidden(f"mirror {mirror.name}", found, is_web)
        else:
            yield from _mirror(mirror, name)


def _secret(webhook: settings.Webhook) -> Finding:
    if webhook.unread:
        return Finding("webhook", True, f"not seen; only the web needs it. {webhook.unread}")
    return Finding("webhook", True, "the secret can be read")


def _hidden(subject: str, found: Unread, is_web: bool) -> Finding:
    who = "not seen; only the worker needs it. " if is_web else ""
    return Finding(subject, is_web, f"{who}{found}")


def _files(config: settings.Settings) -> Iterator[Finding]:
    flaws = permissions.look(config, as_check=True)
    for flaw in flaws:
        yield Finding("files", not flaw.fatal, str(flaw))
    if not flaws:
        yield Finding("files", True, "nobody else can change them, or read secrets")


def _one(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except GmError as error:
        return Finding(subject, False, str(error))


def _github(config: settings.GitHub) -> str:
    if not config.token:
        return f"no token: manifests of public repositories are read from {config.raw_url}"
    left, limit = GitHub(config).calls_left()
    return f"token accepted by {config.api_url}: {left} of {limit} calls left"


def _identity(identity: Callable[[], str]) -> str:
    """Give the service's id; the store has a line of its own if it cannot."""
    try:
        return identity()
    except StoreUnavailable:
        return ""


def _mirror(mirror: settings.Mirror, service: str) -> Iterator[Finding]:
    name = f"mirror {mirror.name}"
    with Session(mirror, service=service) as session:
        try:
            found = session.host.look()
        except GmError as error:
            yield Finding(name, False, f"{error}. {_fix(error, mirror)}")
            return
        where = f"{mirror.user}@{mirror.address}:{mirror.port}"
        yield Finding(name, True, f"SSH to {where}, host key as in {mirror.known_hosts}")
        yield from _host(name, mirror, found)
        yield _one(f"{name} upstream", session.package_manager.upstream)
        yield _one(f"{name} key", lambda: _key(mirror, session))
    if found.state == "live":
        yield _one(f"{name} web", lambda: _web(mirror, found.repomd))


def _host(name: str, mirror: settings.Mirror, found: survey.Survey) -> Iterator[Finding]:
    tools = found.tools
    said = (
        f"{tools.manager} at {tools.manager_path}, {tools.createrepo}, {_privilege(tools)}"
        if tools
        else "install " + ", ".join(found.missing)
    )
    yield Finding(f"{name} tools", tools is not None and _usable(tools, mirror), said)
    writable = found.state != "unwritable"
    fix = f"make {mirror.root} and give it to {mirror.user}"
    yield Finding(f"{name} root", writable, f"{mirror.root}: {found.state}" if writable else fix)
    enough = found.free >= mirror.disk_reserve
    yield Finding(f"{name} disk", enough, f"{found.free:,} bytes free in {mirror.root}")


def _usable(tools: survey.Tools, mirror: settings.Mirror) -> bool:
    return tools.elevation != "helper" or mirror.helper is not None


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


def _fix(error: GmError, mirror: settings.Mirror) -> str:
    scan = f"ssh-keyscan -t ed25519 -p {mirror.port} {mirror.address}"
    fixes = {
        "HostKeyRefused": f"Compare `{scan}` with the host's own key and put it into "
        f"{mirror.known_hosts}",
        "MirrorUnreachable": f"Try `ssh -i {mirror.identity_file} -p {mirror.port} "
        f"{mirror.user}@{mirror.address} true`",
    }
    return fixes.get(type(error).__name__, "")
