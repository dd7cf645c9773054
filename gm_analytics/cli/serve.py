"""The commands that run the service: web, worker, or both in one process."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from gm_analytics.cli import interruption
from gm_analytics.cli.logs import Format, log_to_standard_error, log_what_nobody_catches
from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, NO_MIRROR
from gm_analytics.errors import Exit
from gm_analytics.operations import permissions
from gm_analytics.service import Service
from gm_analytics.supervisor import WEB, WORKER, Supervisor

UMASK = 0o007
"""Web and worker may be two accounts, with a group that shares the store and nothing else."""
PORT = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on.",
)
FORMAT = click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    help="How each event is logged; by default as configured, and at a terminal as console.",
)
OPERATORS = click.option(
    "--operator-listen",
    metavar="HOST:PORT",
    help="Where operators are answered, on loopback, or off; by default as configured.",
)

METRICS = click.option(
    "--metrics-listen",
    metavar="HOST:PORT",
    help="Where metrics are given, on loopback, or off; by default as configured.",
)


@click.command()
@CONFIG
@NO_MIRROR
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@PORT
@OPERATORS
@FORMAT
def serve(
    config: Path | None,
    host: str,
    port: int,
    operator_listen: str | None,
    log_format: Format | None,
) -> None:
    """Take deliveries and perform updates, in one process."""
    service, supervisor = _start(config, log_format, web=True, worker=True)
    listening = _listening(service, supervisor, (host, port), operator_listen, works_here=True)
    with listening as answer, _working(service, supervisor):
        answer()


@click.command()
@CONFIG
@NO_MIRROR
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@PORT
@OPERATORS
@FORMAT
def web(
    config: Path | None,
    host: str,
    port: int,
    operator_listen: str | None,
    log_format: Format | None,
) -> None:
    """Take deliveries; a `worker` beside it performs the updates."""
    service, supervisor = _start(config, log_format, web=True)
    listening = _listening(service, supervisor, (host, port), operator_listen, works_here=False)
    with listening as answer:
        answer()


@click.command()
@CONFIG
@NO_MIRROR
@METRICS
@FORMAT
def worker(config: Path | None, metrics_listen: str | None, log_format: Format | None) -> None:
    """Perform updates that were taken by `web`, or by `connexion run`."""
    # Half a second of imports that other commands do not need.
    from gm_analytics.web.worker_metrics import serving  # noqa: PLC0415

    service, supervisor = _start(config, log_format, worker=True)
    with serving(service, metrics_listen), _working(service, supervisor):
        threading.Event().wait()


@contextmanager
def _working(service: Service, supervisor: Supervisor) -> Iterator[None]:
    """Perform updates until the block ends, and then end the process at once.

    Python would wait for the worker's threads, and one may be pausing for the hour that GitHub
    asked for. Whatever they are at, the next worker goes on with it, as after a SIGKILL.
    """
    code: Any = 0
    try:
        with service.worker(supervisor=supervisor):
            yield
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
        interruption.ended()
    logging.shutdown()
    os._exit(code or Exit.DONE)


def _start(
    config: Path | None, log_format: Format | None, *, web: bool = False, worker: bool = False
) -> tuple[Service, Supervisor]:
    """Compose the service for a role, having seen that this account may read its secrets."""
    supervisor = Supervisor.taken_from(os.environ)
    supervisor.expect(*[WEB] * web, *[WORKER] * worker)
    # systemd's watchdog ends by SIGABRT: what each thread was at is written then.
    with suppress(RuntimeError, OSError, ValueError):  # standard error may be no file
        faulthandler.enable()
    os.umask(UMASK)
    level = click.get_current_context().find_root().params["log_level"] or "info"
    log_to_standard_error(level, log_format or "console")
    log_what_nobody_catches()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    service = opened(config)
    if log_format is None and not sys.stderr.isatty():
        log_to_standard_error(level, service.settings.log_format)
    permissions.require(service.settings)
    service.settings.require(web=web, worker=worker)
    service.store.prepare()
    service.store.check()
    return service, supervisor


@contextmanager
def _listening(
    service: Service,
    supervisor: Supervisor,
    door: tuple[str, int],
    operator_listen: str | None,
    *,
    works_here: bool,
) -> Iterator[Callable[[], None]]:
    """Listen, and give what answers until the process is told to end.

    A port that is taken is so found before anything else begins.
    """
    # A second of imports that only the web needs.
    from gm_analytics import handlers  # noqa: PLC0415
    from gm_analytics.web.app import create_app  # noqa: PLC0415
    from gm_analytics.web.life import Life  # noqa: PLC0415
    from gm_analytics.web.listening import listening_on  # noqa: PLC0415
    from gm_analytics.web.operator import serving  # noqa: PLC0415
    from gm_analytics.web.server import run  # noqa: PLC0415

    handlers.use(service)
    with (
        closing(listening_on(*door)) as listening,
        serving(service, operator_listen, door[1], works_here=works_here),
    ):
        app = create_app(handlers.webhook_secret, prefix=service.settings.prefix)
        where = f"{door[0]}:{listening.getsockname()[1]}"
        life = Life(supervisor, lambda: service.store.check(), where)  # noqa: PLW0108  # lazy
        yield lambda: run(app, listening, life if supervisor.is_there else None)
