"""`gm-analytics tunnel`: ngrok, and GitHub told of each address that it gives."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from gm_analytics.cli.logs import log_to_standard_error
from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, NO_MIRROR
from gm_analytics.cli.registration import (
    REPOSITORY,
    TOKEN,
    github_of,
    names_of,
    registered,
    text_of,
    wanted_by,
)
from gm_analytics.errors import GmError, NotRegistered, NoTunnel
from gm_analytics.github.hooks import Hooks
from gm_analytics.operations import tunnel as ngrok
from gm_analytics.operations.webhooks import Webhooks, address

EVERY = 15.0
"""Seconds between two looks at ngrok's agent."""
AT_MOST = 300.0
"""Between two tries where GitHub refuses, or a ping does not arrive."""
PATIENCE = 60.0
"""Seconds that `--once` waits for a tunnel."""
_SOON = 1.0
log = logging.getLogger(__name__)


@click.command()
@CONFIG
@NO_MIRROR
@REPOSITORY
@TOKEN
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="The port of the service that the tunnel leads to.",
)
@click.option(
    "--api", default=ngrok.API, show_default=True, help="Where ngrok's agent has its local API."
)
@click.option("--start/--no-start", default=True, help="Start ngrok if no agent answers there.")
@click.option("--once", is_flag=True, help="End once it is registered; else go on watching.")
def tunnel(
    config: Path | None,
    repositories: tuple[str, ...],
    token_file: Path | None,
    *,
    port: int,
    api: str,
    start: bool,
    once: bool,
) -> None:
    """Lead GitHub through ngrok, and tell it each new address that the tunnel gets."""
    service = opened(config)
    log_to_standard_error(click.get_current_context().find_root().params["log_level"] or "info")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names, wanted = names_of(service, repositories), wanted_by(service, "")
    hooks = Webhooks(Hooks(github_of(service, token_file)))

    def register(public: str) -> None:
        there = replace(wanted, url=address(public, service.identity))
        found = {name: registered(hooks, name, there) for name in names}
        for one in found.values():
            if one:
                log.info("%s", text_of(one).replace("\n  ", "; "))
        if failed := [name for name, one in found.items() if not (one and one.arrives)]:
            raise NotRegistered(failed)

    with ExitStack() as stack:
        if start and not _answers(api, port):
            stack.enter_context(ngrok.started(port))
        if once:
            register(_awaited(api, port))
            return
        for pause in _watched(lambda: ngrok.address(api, port), register):
            time.sleep(pause)


def _watched(look: Callable[[], str], register: Callable[[str], None]) -> Iterator[float]:
    """Look at the tunnel for ever, and register each new address; give each pause."""
    known, pause = "", 0.0
    while True:
        try:
            public = look()
            if public != known:
                register(public)
                known = public
            pause = EVERY
        except NoTunnel as error:
            log.warning("%s", error)
            known, pause = "", EVERY if pause else min(_SOON, EVERY)
        except GmError as error:
            log.warning("%s", error)
            pause = min(AT_MOST, 2 * pause or EVERY)
        yield pause


def _awaited(api: str, port: int) -> str:
    """Wait for a tunnel.

    Raises:
        NoTunnel: there is none in time.

    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ngrok.address(api, port)
        except NoTunnel:
            if time.monotonic() > until:
                raise
        time.sleep(_SOON)


def _answers(api: str, port: int) -> bool:
    """Tell whether an agent is there, whose tunnel may be yet to come."""
    try:
        ngrok.address(api, port)
    except NoTunnel as error:
        return error.message != ngrok.NOTHING
    return True
