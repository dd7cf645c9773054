"""The command line: thin commands over `Service`, and how they print."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click
import requests

from gm_analytics import __version__
from gm_analytics.cli import mirrors as cli_mirror
from gm_analytics.cli.output import CONFIG, FAILED, FILE, MIRROR, mirror_name, plan_text, progress
from gm_analytics.errors import ConfigError, GmError, ManifestError
from gm_analytics.github.webhook import sign
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations import check as checks
from gm_analytics.operations import permissions
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.remote import fetch
from gm_analytics.service import Service
from gm_analytics.updates.model import Record, State

WRONG_USE, INTERRUPTED = 2, 130
ENDED = frozenset(get_args(State)) - {"waiting", "running"}
FOLLOW_PAUSE = 0.2
UMASK = 0o007
"""Web and worker may be two accounts, with a group that shares the store and nothing else."""


class Group(click.Group):
    """Turns errors of ours into a line on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ConfigError, ManifestError) as error:
            _fail(error, WRONG_USE)
        except GmError as error:
            _fail(error, FAILED)


def _fail(error: GmError, code: int) -> None:
    click.echo(f"gm-analytics: {error}", err=True)
    sys.exit(code)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Make the packages of a pull request installable from a private RPM mirror.

    Exit codes: 0 done; 1 it failed, the reason is on standard error; 2 wrong usage,
    configuration or manifest; 130 interrupted.
    """


for command in cli_mirror.COMMANDS:
    main.add_command(command)


# --- the service --------------------------------------------------------------------------


@main.command()
@CONFIG
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on.")
def serve(config: Path | None, host: str, port: int) -> None:
    """Take deliveries and perform updates, in one process."""
    service = _start(config, web=True, worker=True)
    with _working(service):
        _web(service, host, port)


@main.command()
@CONFIG
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on.")
def web(config: Path | None, host: str, port: int) -> None:
    """Take deliveries; a `worker` beside it performs the updates."""
    _web(_start(config, web=True), host, port)


@main.command()
@CONFIG
def worker(config: Path | None) -> None:
    """Perform updates that were taken by `web`, or by `connexion run`."""
    with _working(_start(config, worker=True)), suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextmanager
def _working(service: Service) -> Iterator[None]:
    """Perform updates until the block ends, and then end the process at once.

    Python would wait for the worker's threads, and one may be pausing for the hour that GitHub
    asked for. Whatever they are at, the next worker goes on with it, as after a SIGKILL.
    """
    code: Any = 0
    try:
        with service.worker():
            yield
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    logging.shutdown()
    os._exit(code or 0)


def _start(config: Path | None, *, web: bool = False, worker: bool = False) -> Service:
    """Compose the service for a role, having seen that this account may read its secrets."""
    os.umask(UMASK)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for noisy in ("paramiko", "connexion", "dbos", "fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    service = Service.from_file(config)
    permissions.require(service.settings)
    service.settings.require(web=web, worker=worker)
    service.store.check()
    return service


def _web(service: Service, host: str, port: int) -> None:
    # A second of imports that only the web needs.
    from gm_analytics import handlers  # noqa: PLC0415
    from gm_analytics.web.app import create_app  # noqa: PLC0415
    from gm_analytics.web.server import run  # noqa: PLC0415

    handlers.use(service)
    run(create_app(handlers.webhook_secret), host, port)


# --- by hand ------------------------------------------------------------------------------


@main.command()
@CONFIG
@MIRROR
@FILE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(config: Path | None, mirror: str | None, file: Any, as_json: bool) -> None:
    """Say what FILE, a packages.json, would change on the mirror. Changes nothing."""
    service = Service.from_file(config)
    found = service.operations.plan(Manifest.parse(file.read()), mirror_name(service, mirror))
    click.echo(json.dumps(asdict(found), indent=2) if as_json else plan_text(found))


@main.command()
@CONFIG
@MIRROR
@FILE
@click.option("--locked", type=click.File("rb"), help="Take exactly the RPMs of this lock file.")
def apply(config: Path | None, mirror: str | None, file: Any, locked: Any) -> None:
    """Make the packages of FILE, a packages.json, installable from the mirror."""
    service = Service.from_file(config)
    manifest = Manifest.parse(file.read())
    lock = Lock.parse(locked.read()) if locked else None
    outcome = service.operations.apply(
        manifest, mirror_name(service, mirror), DirectStep(progress), lock
    )
    for nevra in outcome.added:
        click.echo(f"added {nevra}")
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{outcome.state}: {outcome.message}")


@main.command()
@CONFIG
@click.argument("update_id", required=False)
@click.option("--follow", is_flag=True, help="Wait for the end, printing steps as they happen.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", default=20, show_default=True, help="How many to list.")
def updates(
    config: Path | None, update_id: str | None, follow: bool, as_json: bool, limit: int
) -> None:
    """List the newest updates, or show one with its steps. Exits with 1 if that one failed."""
    store = Service.from_file(config).store
    if update_id and follow:
        _follow(store, update_id)
    records = store.get(update_id) if update_id else store.recent(limit)
    if as_json:
        click.echo(json.dumps([_record_json(record) for record in records], indent=2))
    else:
        for record in records:
            click.echo(_record_text(record))
    if update_id and any(record.state == "failed" for record in records):
        sys.exit(FAILED)


@main.command()
@CONFIG
@click.argument("update_id")
def retry(config: Path | None, update_id: str) -> None:
    """Run a failed update again, under the same id."""
    if not Service.from_file(config).store.retry(update_id):
        raise click.UsageError(f"update {update_id} has not failed; there is nothing to retry")
    click.echo(f"update {update_id} waits to be run again")


@main.command()
@CONFIG
@click.argument("payload", type=click.File("rb"))
@click.option("--url", default="http://127.0.0.1:8080/ci_server/updates", show_default=True)
@click.option("--event", default="pull_request", show_default=True, help="X-GitHub-Event.")
@click.option("--delivery", help="X-GitHub-Delivery; a new id by default.")
def replay(config: Path | None, payload: Any, url: str, event: str, delivery: str | None) -> None:
    """Sign PAYLOAD, a stored delivery, and post it as GitHub does."""
    body = payload.read()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(Service.from_file(config).settings.webhook.secret, body),
    }
    try:
        reply = requests.post(url, data=body, headers=headers, auth=fetch.NOBODY, timeout=10)
    except requests.RequestException as error:
        click.echo(f"gm-analytics: posting to {url}: {error}", err=True)
        sys.exit(FAILED)
    click.echo(f"{reply.status_code} {reply.text.strip()}")
    sys.exit(0 if reply.ok else FAILED)


@main.command()
@CONFIG
def check(config: Path | None) -> None:
    """Check the configuration, the store, GitHub and each mirror: a fact or the fix a line."""
    good = True
    service = Service.from_file(config)
    for finding in checks.run(
        service.settings,
        lambda: service.store.check(),  # noqa: PLW0108  # a store that cannot be opened is a finding
        lambda: service.identity,
    ):
        good = good and finding.good
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        click.echo(f"{mark} {finding.subject}: {finding.said}")
    sys.exit(0 if good else FAILED)


@main.command()
@CONFIG
@MIRROR
def key(config: Path | None, mirror: str | None) -> None:
    """Make the key that signs a mirror's metadata, if there is none, and say what clients need.

    One that is there already is kept.
    """
    service = Service.from_file(config)
    target = service.settings.mirror(mirror_name(service, mirror))
    found = key_of(target)
    made = "made" if found.make(target.name) else "there already"
    address = f"{target.base_url}{found.public_file.name}"
    click.echo(
        f"key {found.fingerprint}: {made}, in {found.home}\n"
        f"public half: {found.public_file}; from the next publication on also {address}\n"
        "a client's repository file, once that is published (gpgcheck=1 needs upstream's keys in\n"
        "gpgkey too; compare the key that a client fetches over HTTP with this fingerprint):\n\n"
        f"[gm-mirror]\nname=Private mirror {target.name}\nbaseurl={target.base_url}\n"
        f"enabled=1\ngpgcheck=0\nrepo_gpgcheck=1\ngpgkey={address}"
    )


# --- what is printed ----------------------------------------------------------------------


def _record_json(record: Record) -> dict[str, Any]:
    error = record.error.to_json() if record.error else None
    return asdict(record) | {"error": error}


def _record_text(record: Record) -> str:
    when = datetime.fromtimestamp(record.accepted_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    update = record.update
    head = f"{update.id}  {record.state:<10}  {when}  {update.mirror}  {update.pull_request}"
    steps = [
        f"    {step.name:<15} {step.completed_at - step.started_at:6.2f} s"
        + (f"  {step.error}" if step.error else "")
        for step in record.steps
    ]
    return "\n".join([head, f"    {record.message}", *steps])


def _follow(store: Any, update_id: str) -> None:
    seen: set[tuple[str, int]] = set()
    while True:
        records = store.get(update_id)
        for record in records:
            for number, step in enumerate(record.steps):
                if (record.update.id, number) not in seen:
                    seen.add((record.update.id, number))
                    click.echo(
                        f"{step.name}: {step.completed_at - step.started_at:.2f} s", err=True
                    )
        if all(record.state in ENDED for record in records):
            return
        time.sleep(FOLLOW_PAUSE)
