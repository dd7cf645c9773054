"""`gm-analytics webhook`: the repositories' webhooks at GitHub."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, JSON, NO_MIRROR, print_json
from gm_analytics.cli.registration import (
    REPOSITORY,
    TOKEN,
    github_of,
    names_of,
    public_of,
    registered,
    registered_json,
    status_json,
    status_lines,
    text_of,
    wanted_by,
)
from gm_analytics.errors import Exit, NotRegistered
from gm_analytics.github.hooks import Hooks, Wanted
from gm_analytics.operations.webhooks import Webhooks, differences

_LISTED = 10


@click.command()
@CONFIG
@NO_MIRROR
@click.argument("action", type=click.Choice(["register", "status"]))
@REPOSITORY
@click.option("--url", help="Where GitHub reaches the service; by default public_url.")
@click.option(
    "--take-over",
    type=click.IntRange(1),
    metavar="ID",
    help="Make this webhook, of another service until now, the one of this service.",
)
@TOKEN
@JSON
def webhook(
    config: Path | None,
    action: str,
    repositories: tuple[str, ...],
    *,
    url: str | None,
    take_over: int | None,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Have GitHub deliver to this service (`register`), or look at its deliveries (`status`).

    `register` makes the webhook or repairs it, and tries it by a ping.
    """
    service = opened(config)
    names = names_of(service, repositories)
    if take_over and (len(names) != 1 or action == "status"):
        raise click.UsageError("--take-over: expected `register`, and one --repository")
    wanted = wanted_by(service, public_of(service, url))
    hooks = Webhooks(Hooks(github_of(service, token_file)))
    if action == "status":
        sys.exit(Exit.DONE if _status(hooks, names, wanted, as_json=as_json) else Exit.FAILED)
    _register(hooks, names, wanted, take_over or 0, as_json=as_json)


def _register(
    hooks: Webhooks, names: list[str], wanted: Wanted, take_over: int, *, as_json: bool
) -> None:
    act = hooks.register if len(names) == 1 else partial(registered, hooks)
    found = {name: act(name, wanted, take_over) for name in names}
    if as_json:
        print_json([registered_json(one) for one in found.values() if one])
    for one in found.values():
        if one and not as_json:
            click.echo(text_of(one))
    if failed := [name for name, one in found.items() if not (one and one.arrives)]:
        raise NotRegistered(failed)


def _status(hooks: Webhooks, names: list[str], wanted: Wanted, *, as_json: bool) -> bool:
    """Show each; tell whether all are as they should be, and the last delivery was taken."""
    good, told = True, []
    for name in names:
        hook, delivered = hooks.look(name, wanted)
        wrong = differences(hook, wanted) if hook else ["there is none"]
        good = good and not wrong and (not delivered or delivered[0].is_good)
        told.append(status_json(name, hook, wrong, delivered))
        if not as_json:
            click.echo("\n".join(status_lines(name, hook, wrong, delivered[:_LISTED])))
    if as_json:
        print_json(told)
    return good
