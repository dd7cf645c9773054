"""The commands about updates: plan and apply one by hand, look at them, run them again."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import requests

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import (
    CONFIG,
    FILE,
    JSON,
    MIRROR,
    NO_MIRROR,
    command_of,
    content,
    mirror_name,
    name_of,
    plan_text,
    print_json,
    print_last,
)
from gm_analytics.cli.progress import follow as follow_until_end
from gm_analytics.cli.progress import shown
from gm_analytics.cli.spoken import spoken, with_output
from gm_analytics.errors import Exit
from gm_analytics.github.webhook import MAX_BODY, sign
from gm_analytics.manifest import MAX_BYTES, Manifest
from gm_analytics.mirror.lock import MAX_BYTES as MAX_LOCK
from gm_analytics.mirror.lock import Lock
from gm_analytics.operations import cancel as operation
from gm_analytics.operations import person
from gm_analytics.operations.by_hand import DirectStep, Operations
from gm_analytics.remote import fetch
from gm_analytics.service import Service
from gm_analytics.updates.model import Record
from gm_analytics.updates.states import BROKEN, State
from gm_analytics.web.update_json import record_json, update_json
from gm_analytics.wording import when

if TYPE_CHECKING:
    from gm_analytics.engine.cancelling import Answer

REFRESH = click.option("--refresh", is_flag=True, help="Ask upstream now, whatever is cached.")
MOST = 100_000
"""Updates that are listed at once."""


@click.command()
@CONFIG
@MIRROR
@FILE
@REFRESH
@JSON
def plan(config: Path | None, mirror: str | None, file: Any, refresh: bool, as_json: bool) -> None:
    """Say what FILE, a packages.json, would change on the mirror. Changes nothing."""
    service = opened(config)
    operations = _operations(service, refresh=refresh)
    manifest = Manifest.parse(content(file, MAX_BYTES), name_of(file))
    found = operations.plan(manifest, mirror_name(service, mirror))
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(plan_text(found))


@click.command()
@CONFIG
@MIRROR
@FILE
@REFRESH
@click.option("--locked", type=click.File("rb"), help="Take exactly the RPMs of this lock file.")
@click.option(
    "--accept-resigned",
    is_flag=True,
    help="Take an RPM that upstream signed again as a new file beside the older one.",
)
@JSON
def apply(
    config: Path | None,
    mirror: str | None,
    file: Any,
    *,
    refresh: bool,
    locked: Any,
    accept_resigned: bool,
    as_json: bool,
) -> None:
    """Make the packages of FILE, a packages.json, installable from the mirror."""
    service = opened(config)
    manifest = Manifest.parse(content(file, MAX_BYTES), name_of(file))
    lock = Lock.parse(content(locked, MAX_LOCK)) if locked else None
    name = mirror_name(service, mirror)
    operations = _operations(service, refresh=refresh)
    operations = operations.accepting_resigned() if accept_resigned else operations
    with shown() as telling:
        outcome = operations.apply(manifest, name, DirectStep(telling), lock)
    if as_json:
        print_last(operations.book)
        return
    for nevra in outcome.added:
        click.echo(f"added {nevra}")
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{outcome.state}: {outcome.message}")


@click.command()
@CONFIG
@click.argument("update_id", required=False)
@click.option("--follow", is_flag=True, help="Wait for the end, showing what runs.")
@click.option("--output", is_flag=True, help="Show what the mirror's host said in each step.")
@click.option("--state", type=click.Choice(get_args(State)), help="Only those in this state.")
@click.option("--mirror", metavar="NAME", help="Only those of this mirror.")
@JSON
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=20,
    show_default=True,
    help="How many to list.",
)
def updates(
    config: Path | None,
    update_id: str | None,
    *,
    follow: bool,
    output: bool,
    state: State | None,
    mirror: str | None,
    as_json: bool,
    limit: int,
) -> None:
    """List the newest updates, or show one with its steps. Exits with 1 if that one failed.

    UPDATE_ID may be how the id begins, if no other one does. What was applied or rolled back by
    hand is listed as well. The JSON of one is what HTTP gives, with what only an operator may
    read; without UPDATE_ID it is a list of what is below `mirrors` there.
    """
    service = opened(config)
    store = service.store
    update_id = store.meant(update_id) if update_id else None
    mirror = service.settings.mirror(mirror).name if mirror else None
    if update_id and follow:
        follow_until_end(store, update_id)
    if update_id:
        records = _see_that_it_is_for(mirror, store.get(update_id), update_id)
    else:
        records = store.recent(limit, state=state, mirror=mirror)
    said = store.output if update_id else None
    if as_json:
        print_json(with_output(_as_json(update_id, records), said if output else None))
    else:
        for record in records:
            click.echo("\n".join([_record_text(record), *spoken(record, said, whole=output)]))
    if update_id and any(record.state in BROKEN for record in records):
        sys.exit(Exit.FAILED)


@click.command()
@CONFIG
@click.option(
    "--mirror", metavar="NAME", help="Only on this mirror; by default wherever it failed."
)
@click.argument("update_id")
@JSON
def retry(config: Path | None, mirror: str | None, update_id: str, as_json: bool) -> None:
    """Run a failed update again, under the same id."""
    store = opened(config).store
    update_id = store.meant(update_id)
    _see_that_it_is_for(mirror, store.get(update_id), update_id)
    if not store.retry(update_id, mirror, person.name()):
        on = f" on {mirror}" if mirror else ""
        raise click.UsageError(f"update {update_id} has not failed{on}; there is nothing to retry")
    if as_json:
        print_json(_as_json(update_id, store.get(update_id)))
    else:
        click.echo(f"update {update_id} waits to be run again")


@click.command()
@CONFIG
@click.argument("update_id")
@click.option(
    "--mirror",
    metavar="NAME",
    help="Only on this mirror; by default on all that it has not ended on.",
)
@JSON
def cancel(config: Path | None, update_id: str, mirror: str | None, as_json: bool) -> None:
    """End an update that waits or runs, before clients see what it does; `retry` runs it again.

    What runs for it on a mirror is stopped first. Exits with 1 if it ended otherwise.
    """
    service = opened(config)
    update_id = service.store.meant(update_id)
    records = _to_cancel(service.store.get(update_id), update_id, mirror)
    answers = []
    for record, answer in operation.run(
        service.store, records, person.name(), lambda update: service.tell.ended(update, None)
    ):
        answers.append(answer)
        if not as_json:
            click.echo(_cancelled_text(record, answer))
    if as_json:
        print_json(_as_json(update_id, service.store.get(update_id)))
    sys.exit(Exit.DONE if set(answers) == {"cancelled"} else Exit.FAILED)


def _see_that_it_is_for(mirror: str | None, records: list[Record], update_id: str) -> list[Record]:
    """Give an update on the mirror that was named, or on all."""
    found = [record for record in records if mirror in {None, record.update.mirror}]
    if not found:
        known = ", ".join(record.update.mirror for record in records)
        raise click.UsageError(f"update {update_id} is not for {mirror}, but for {known}")
    return found


def _to_cancel(records: list[Record], update_id: str, mirror: str | None) -> list[Record]:
    records = _see_that_it_is_for(mirror, records, update_id)
    if all(record.ended for record in records):
        states = ", ".join(f"{record.update.mirror}: {record.state}" for record in records)
        raise click.UsageError(f"update {update_id} has ended ({states}); nothing is to cancel")
    return [record for record in records if not record.ended]


def _cancelled_text(record: Record, answer: Answer) -> str:
    said = f"update {record.update.id} on {record.update.mirror}"
    if answer == "asked":
        return f"{said}: its worker was asked, and has not stopped it yet"
    if answer == "cancelled":
        return f"{said}: cancelled"
    return f"{said}: too late, it ended as {record.state}: {record.message}"


@click.command()
@CONFIG
@NO_MIRROR
@click.argument("payload", type=click.File("rb"))
@click.option("--url", default="http://127.0.0.1:8080/ci_server/updates", show_default=True)
@click.option("--event", default="pull_request", show_default=True, help="X-GitHub-Event.")
@click.option("--delivery", help="X-GitHub-Delivery; a new id by default.")
def replay(config: Path | None, payload: Any, url: str, event: str, delivery: str | None) -> None:
    """Sign PAYLOAD, a stored delivery, and post it as GitHub does."""
    body = content(payload, MAX_BODY)
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(opened(config).settings.webhook.secret, body),
    }
    try:
        reply = requests.post(url, data=body, headers=headers, auth=fetch.NOBODY, timeout=10)
    except (requests.RequestException, UnicodeError) as error:  # or what no header can hold
        click.echo(f"gm-analytics: posting to {url}: {error}", err=True)
        sys.exit(Exit.FAILED)
    click.echo(f"{reply.status_code} {reply.text.strip()}")
    sys.exit(Exit.DONE if reply.ok else Exit.FAILED)


# --- what is printed ----------------------------------------------------------------------


def _operations(service: Service, *, refresh: bool) -> Operations:
    return service.operations.asking_now() if refresh else service.operations


def _as_json(update_id: str | None, records: Sequence[Record]) -> Any:
    if update_id:
        return update_json(update_id, records, private=True)
    return [record_json(record, private=True) for record in records]


def _record_text(record: Record) -> str:
    update, accepted = record.update, when(record.accepted_at)
    origin = update.origin or f"{command_of(update)} by hand"
    head = f"{update.id}  {record.state:<10}  {accepted}  {update.mirror}  {origin}"
    hint = [f"    hint: {record.hint}"] if record.hint else []
    steps = [
        f"    {step.name:<15} {step.completed_at - step.started_at:6.2f} s"
        + (f"  {step.error}" if step.error else "")
        for step in record.steps
    ]
    return "\n".join([head, f"    {record.message}", *hint, *steps])
