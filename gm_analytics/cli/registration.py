"""What `webhook` and `tunnel` share: what is to be registered, with what, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gm_analytics import sections, settings
from gm_analytics.errors import ConfigError, GmError
from gm_analytics.github.hooks import Delivered, Hook, Wanted
from gm_analytics.operations.webhooks import Registered, Webhooks, address, shown
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.wording import one_line

if TYPE_CHECKING:
    from gm_analytics.service import Service

REPOSITORY = click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="OWNER/NAME",
    help="This one alone; by default all of webhook.repositories. May be given again.",
)
TOKEN = click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ask GitHub with the token in this file; by default with the configuration's.",
)


def registered(
    hooks: Webhooks, name: str, wanted: Wanted, take_over: int = 0
) -> Registered | None:
    """Register one repository; what GitHub refuses of it is said, and keeps no other back."""
    try:
        return hooks.register(name, wanted, take_over)
    except GmError as error:
        click.echo(f"gm-analytics: {name}: {error.lines}\nhint: {error.hint}", err=True)
        return None


# --- what is asked for ------------------------------------------------------------------------


def names_of(service: Service, given: tuple[str, ...]) -> list[str]:
    """Give the repositories that were named, or all."""
    known = service.settings.webhook.repositories
    if unknown := set(given) - set(known):
        names = ", ".join(sorted(unknown))
        raise click.UsageError(f"--repository: {names}: expected one of {', '.join(known)}")
    return list(given or known)


def public_of(service: Service, given: str | None) -> str:
    """Give where the service is reached.

    Raises:
        ConfigError: nobody said so.

    """
    url = given or str(service.settings.public_url or "")
    if not url:
        said = "no public_url; expected it there, or --url: where GitHub reaches the service"
        raise ConfigError("webhook", [said])
    return url


def wanted_by(service: Service, public: str) -> Wanted:
    """Give what the webhooks are to be.

    Raises:
        ConfigError: none are wanted, or this account may not read the secret.
        StoreUnavailable: it did not say which service this is.

    """
    config = service.settings
    if config.polls:
        raise ConfigError(
            "intake", ["found poll: no deliveries are taken, so none are registered"]
        )
    url = address(public, service.identity)
    return Wanted(url, config.webhook.secret, Rules.of(config).events)


def github_of(service: Service, token_file: Path | None) -> settings.GitHub:
    """Give with what GitHub is asked.

    Raises:
        ConfigError: with nothing.

    """
    config = service.settings.github
    if token_file:
        same = {name: getattr(config, name) for name in ("api_url", "ca_file", "proxy", "timeout")}
        given = {**same, "token_file": str(token_file.absolute())}
        return sections.GitHub.model_validate(given)
    if not config.has_token:
        said = "no token and no app; expected one that may change webhooks, or --token-file"
        raise ConfigError("github", [said])
    return config


# --- what is shown ----------------------------------------------------------------------------


def text_of(found: Registered) -> str:
    """Say what became of a webhook."""
    hook = found.hook
    lines = [f"{found.repository}: {found.done} webhook {hook.id}: {shown(hook.url)}"]
    lines += [f"  {change}" for change in found.changes]
    lines += [f"  left alone, of another service: webhook {other}" for other in found.others]
    return "\n".join([*lines, f"  {_ping_text(found.ping)}"])


def _ping_text(ping: Delivered | None) -> str:
    if ping is None:
        return "GitHub has not delivered a ping yet; see `gm-analytics webhook status`"
    if ping.is_good:
        return f"GitHub's ping was answered with {ping.status_code}"
    return f"GitHub's ping failed: {ping.status_code or 'no answer'} {one_line(ping.status)}"


def status_lines(
    name: str, hook: Hook | None, wrong: Sequence[str], delivered: Sequence[Delivered]
) -> Iterator[str]:
    """Say how a webhook is, and what it delivered."""
    head = f"webhook {hook.id}: {shown(hook.url)}" if hook else "no webhook of this service"
    yield f"{name}: {head}"
    yield from (f"  not as it should be: {one}" for one in wrong if hook)
    for one in delivered:
        what = f"{one.event}.{one.action}" if one.action else one.event
        again = ", again" if one.redelivery else ""
        yield one_line(
            f"  {one.delivered_at}  {what:<28} {one.status_code or '-':>3} {one.status}, "
            f"{one.duration:.2f} s{again}"
        )
    if wrong:
        yield "  `gm-analytics webhook register` puts it right"


def _hook_json(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id, "url": shown(hook.url), "active": hook.active, "events": list(hook.events),
        "signed": hook.has_secret,
    }  # fmt: skip


def registered_json(found: Registered) -> dict[str, Any]:
    """Give the same for programs."""
    return {
        "repository": found.repository, "done": found.done, "changes": list(found.changes),
        "webhook": _hook_json(found.hook), "others": list(found.others),
        "ping": asdict(found.ping) if found.ping else None,
    }  # fmt: skip


def status_json(
    name: str, hook: Hook | None, wrong: Sequence[str], delivered: Sequence[Delivered]
) -> dict[str, Any]:
    """Give the same for programs."""
    return {
        "repository": name, "webhook": _hook_json(hook) if hook else None, "wrong": list(wrong),
        "deliveries": [asdict(one) for one in delivered],
    }  # fmt: skip
