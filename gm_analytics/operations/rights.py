"""What the token may not do on each repository, with the cure: a part of `check`."""

from __future__ import annotations

from collections.abc import Iterator

from gm_analytics import settings
from gm_analytics.errors import GmError
from gm_analytics.github.rights import Purpose, Right, Rights
from gm_analytics.operations.findings import Finding, Severity, wrong

_DOING: dict[Purpose, str] = {
    "repository": "seeing it",
    "manifests": "reading manifests",
    "pull requests": "listing pull requests",
    "statuses": "setting statuses",
    "comments": "commenting on pull requests",
    "checks": "adding checks",
}
_WITHOUT = "Give the service a token: without one only public repositories are seen."


def findings(config: settings.Settings) -> Iterator[Finding]:
    """Ask GitHub, and change nothing there."""
    asks = Rights(config.github)
    for repository in config.webhook.repositories:
        subject = f"github {repository}"
        try:
            found = list(asks.of(repository))
        except GmError as error:
            yield wrong(subject, error)
            continue
        lacking = [right for right in found if right.lacks]
        for right in lacking:
            yield _lacking(config, subject, right)
        if not lacking:
            allowed = ", ".join(_DOING[right.purpose] for right in found[1:] if not right.said)
            yield Finding(subject, "ok", f"allowed are {allowed}{_unknown(found)}")


def _lacking(config: settings.Settings, subject: str, right: Right) -> Finding:
    needed = {"repository", "manifests", *({"pull requests"} if config.polls else ())}
    severity: Severity = "fail" if right.purpose in needed else "warn"
    said = f"{_DOING[right.purpose]} is not allowed: {right.said}"
    who = "app" if config.github.has_app else "token"
    hint = f"Give the {who} {right.lacks}." if config.github.has_token else _WITHOUT
    return Finding(subject, severity, said, hint)


def _unknown(found: list[Right]) -> str:
    said = [f"{_DOING[right.purpose]}: {right.said}" for right in found if right.said]
    return f" ({'; '.join(said)})" if said else ""
