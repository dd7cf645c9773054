"""What pages, JSON, statuses and comments say shows nothing of the inside; logs keep it all."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from gm_analytics.errors import (
    AnotherService,
    BadAnswer,
    BadPackages,
    CommandFailed,
    FileTooLarge,
    GmError,
    MetadataForged,
    NotInstallable,
    OutputTooLarge,
    Unresolvable,
    Untrusted,
    UpstreamUnavailable,
)
from gm_analytics.pull_requests import feedback
from gm_analytics.updates import waiting
from gm_analytics.updates.model import Outcome, Record, StepRecord, Update
from gm_analytics.web.pages import update_page
from gm_analytics.web.update_json import update_json
from gm_analytics.wording import redact
from lab.site import Service, Site
from tests.unit.test_errors import every, make

INSIDE = [
    "/var/repo/.staging/u1",
    "/home/builder/.ssh/id_ed25519",
    "/etc/yum.repos.d/internal.repo",
    "/etc/pki/rpm-gpg/RPM-GPG-KEY-inside",
    "http://upstream.inside.example/repo/repodata/repomd.xml",
    "ftp://10.1.2.3/x",
    "file:///srv/packages",
    "builder@mirror.inside.example",
    "10.1.2.3:2222",
    "postgresql://gm:geheim@db.inside/updates",
]
SAID_BY_ITS_AUTHOR = {
    "DeliveryError", "BadSignature", "BadDelivery", "UnsupportedMediaType", "DeliveryTooLarge",
    "DeliveryIncomplete", "DeliveryTooSlow", "TooManyDeliveries", "ManifestError",
    "UnknownPackages",
}  # fmt: skip
"""Errors that tell their author what he wrote."""
NAMES = {"mirror", "specs", "files", "missing", "places", "kind", "base", "live"}
"""Fields whose words are the service's own, or GitHub's, or package names."""


def hostile(error: GmError) -> GmError:
    """Put everything of the inside into the fields that programs and hosts fill."""
    text = " ".join(INSIDE)
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(error):
        value = getattr(error, field.name)
        if field.name in NAMES:
            continue
        if isinstance(value, str):
            changed[field.name] = text
        elif isinstance(value, list):
            changed[field.name] = [text]
    return dataclasses.replace(error, **changed)


def seen_by_all(error: GmError) -> str:
    """Show it as what an update failed with, and as what it waits for if it does."""
    update = Update("u1", "inside", "team/packages", 1, "a" * 40)
    step = StepRecord("step", 1.0, 2.0, str(error), error.public)
    record = Record(update, "failed", str(error), 1.0, 1.0, 2.0, None, error, (step,))
    if wait := waiting.after(error, None, 1.0, waiting.Retry()):
        said = wait.says("inside", wait.reason)
        waits = dataclasses.replace(record, state="waiting", message=said, wait=wait)
        unread = dataclasses.replace(waits, error=None)
        return "".join(map(shown, (record, waits, unread)))
    return shown(record)


def shown(record: Record) -> str:
    return "\n".join(
        [
            update_page("u1", [record]),
            json.dumps(update_json("u1", [record])),
            feedback.status(record).description,
            feedback.comment([record], lambda _: ""),
        ]
    )


@every
def test_no_error_shows_the_inside(cls: type[GmError]) -> None:
    if cls.__name__ in SAID_BY_ITS_AUTHOR:
        pytest.skip("it says what the asker sent")
    error = hostile(make(cls))
    seen = seen_by_all(error)
    for word in [*INSIDE, "inside.example", "10.1.2.3", "geheim", "id_ed25519"]:
        assert word not in seen, word


@pytest.mark.parametrize(
    "words",
    [
        "nothing provides /usr/bin/perl needed by leaf-1.0-1.noarch",
        "nothing provides libc.so.6(GLIBC_2.34)(64bit) needed by tree-1.8.0-1.el9.x86_64",
        "No match for argument: nope",
        "package a-1:2.0-1.el9.x86_64 conflicts with b < 2.0 provided by b-1.0-1.el9.noarch",
        "nothing provides /etc/httpd/conf needed by x-1-1.noarch",
        "nothing provides config(a) = 1.2.3-4.el9 needed by a-1.2.3-4.el9.x86_64",
        "nothing provides a = 10.1.2.3-1 needed by b-1-1.noarch",
        "nothing provides /sbin/ldconfig needed by c",
    ],
)
def test_an_author_reads_yums_words(words: str) -> None:
    """They are the point of feedback."""
    assert redact(words) == words
    assert words.replace("<", "&lt;") in seen_by_all(Unresolvable("m", ["a"], words)) or (
        words in seen_by_all(Unresolvable("m", ["a"], words))
    )
    assert words in NotInstallable("m", ["a"], words).public
    assert words in BadPackages("m", words).public


def test_whoever_is_refused_reads_why() -> None:
    """Though not all that the operator does."""
    for error, said in [
        (AnotherService("m", "publication 7 of team/x", "id"), "another service publishes there"),
        (
            Untrusted("m", "repodata", "it is not signed"),
            "it holds what this service did not sign",
        ),
        (MetadataForged("m", "primary", "a", "b"), "nothing was signed"),
        (FileTooLarge("m", "/var/repo/x", 9), "reading a file: larger than it may be"),
        (BadAnswer("m", "reading /var/repo/x", "y"), "reading (path): not the answer"),
        (OutputTooLarge("m", "reading /var/repo/x", 9), "reading (path): more than 9 bytes came"),
    ]:
        assert said in seen_by_all(error)


def test_a_command_and_what_it_printed_stay_inside() -> None:
    error = CommandFailed("m", "running createrepo", ["createrepo_c", "/x"], 1, "/x: no space")
    assert error.public == "mirror m: running createrepo: exit code 1"
    assert "no space" in str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Status code: 403 for http://a.inside/x (IP: 10.0.0.1)", "answered 403"),
        ("Curl error (6): Couldn't resolve host name for http://a/ [Could not resolve host: a]",
         "name is not resolved"),
        ("Curl error (7): Couldn't connect to server [Failed to connect to a port 80]",
         "takes no connections"),
        ("Curl error (28): Timeout was reached for http://a/", "too slow"),
        ("something else", "cannot be read"),
    ],
)  # fmt: skip
def test_an_upstream_fault_is_said_in_our_words(words: str, said: str) -> None:
    public = UpstreamUnavailable("m", "downloading", words).public
    assert said in public
    assert "inside" not in public


def test_redacting_takes_linear_time() -> None:
    for evil in (
        "/a" * 100_000,
        "a@" * 100_000,
        "1." * 100_000,
        "a://" * 50_000,
        "host: " * 50_000,
    ):
        assert len(redact(evil)) <= 2 * len(evil)


def test_warnings_and_messages_are_redacted_too() -> None:
    outcome = Outcome("published", "see /var/repo/x", "p", warnings=("/var/repo/y is odd",))
    record = Record(Update("u", "m"), "published", outcome.message, 1.0, 1.0, 2.0, outcome)
    assert "/var/repo" not in update_page("u", [record]) + json.dumps(update_json("u", [record]))
    assert "/var/repo" not in feedback.comment([record], lambda _: "")


# --- the real parts -------------------------------------------------------------------------


def test_a_failed_update_shows_the_operator_more_than_the_world(tmp_path: Path) -> None:
    with Site.running() as site:
        mirror = site.mirror.settings() | {"port": 9}
        config = site.config(
            mirrors=[mirror], retry_seconds=0.01, retry_attempts=1, waiting_hours=0
        )
        with Service.running(site, config) as service:
            update_id = service.deliver(site.push('["tree"]')).json()["update_id"]
            ended = service.end_of(update_id)
            page = requests.get(
                f"{service.url}/{update_id}", headers={"Accept": "text/html"}, timeout=10
            ).text
            assert ended["state"] == "failed"
            assert "not possible for now" in ended["message"]
            for text in (json.dumps(ended), page):
                for inside in ("127.0.0.1", mirror["user"] + "@", str(site.directory)):
                    assert inside not in text
            assert f"update {update_id}: failed: mirror" in service.log


def test_health_names_no_database() -> None:
    with Site.running() as site, Service.running(site) as service:
        database = site.directory / "updates.sqlite"
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("ALTER TABLE workflow_status RENAME TO gone")
        reply = requests.get(f"http://127.0.0.1:{service.port}/healthz", timeout=30)
        assert reply.status_code == 503
        assert reply.json() == {"status": "unavailable", "reason": "the store does not answer"}
        assert "workflow_status" in service.log
