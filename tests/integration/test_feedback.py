"""What pull requests are told, against the stand-in for GitHub."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.engine.client import FEEDBACK, Store
from gm_analytics.errors import StoreUnavailable, UnknownUpdate
from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests.feedback import MARKER
from gm_analytics.service import Service as Inside
from gm_analytics.updates.model import Update
from gm_analytics.updates.taken import Taken
from lab.client import Client
from lab.deliveries import PullRequest, signature
from lab.deliveries import deliver as post
from lab.packages import Package
from lab.processes import LabError, wait_for
from lab.site import Service, Site

from .conftest import manifest

TOKEN = "lab-token"
PUBLIC = "https://ci.example.org"
numbers = iter(range(1, 1000))
"""A pull request of its own for each test."""


def with_token(site: Site, **changes: Any) -> dict[str, Any]:
    """Give configuration keys with which feedback is given."""
    github = {"api_url": site.github.api_url, "raw_url": site.github.raw_url, "token": TOKEN}
    return {"github": github, "public_url": PUBLIC, **changes}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        running.github.token = TOKEN
        yield running


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[Service]:
    with Service.running(site, site.config(**with_token(site))) as running:
        yield running


@pytest.fixture
def number() -> int:
    return next(numbers)


def deliver(service: Service, pull: PullRequest) -> str:
    reply = service.deliver(pull)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["update_id"])


def states(site: Site, sha: str) -> list[str]:
    """Give a commit's states, the oldest first."""
    return [status["state"] for status in reversed(site.github.statuses.get(sha, []))]


def comments(site: Site, number: int) -> list[str]:
    return [comment["body"] for comment in site.github.comments.get(number, [])]


def await_comment(site: Site, number: int, words: str) -> str:
    """Wait until one comment has these words, and give it."""

    def found() -> list[str]:
        return [body for body in comments(site, number) if words in body]

    return wait_for(found, f"a comment with {words}")[0]


def await_log(service: Service, words: str) -> None:
    wait_for(lambda: words in service.log, f"{words!r} in the log")


def hold_manifest(site: Site, *names: str) -> threading.Event:
    """Let the next manifest be read only once this is set."""
    release = threading.Event()
    site.github.answer_next("/contents/", status=200, body=list(names), release=release)
    return release


def test_a_commit_is_pending_at_once_then_a_success_and_the_comment_is_there(
    site: Site, service: Service, number: int
) -> None:
    release = hold_manifest(site, "tree")
    pull = site.push(manifest("tree"), number=number)
    update_id = deliver(service, pull)
    wait_for(lambda: states(site, pull.head_sha) == ["pending"], "a pending status")
    assert not comments(site, number), "a mail about what is not known yet helps nobody"
    release.set()
    body = await_comment(site, number, update_id)
    assert body.startswith(f"{MARKER}\n\n### {site.mirror.name}: published\n\n")
    assert re.search(r"^\| added \| `tree-1[^`]*` \| \S+ k?B \| `\w+` \|$", body, re.MULTILINE)
    newest = site.github.statuses[pull.head_sha][0]
    assert newest["state"] == "success"
    assert newest["context"] == f"gm-analytics/{site.mirror.name}"
    assert newest["target_url"] == f"{PUBLIC}/ci_server/updates/{update_id}"
    assert newest["description"] == service.show(update_id)["message"]


def test_an_unknown_name_is_a_failure_of_the_pull_request(
    site: Site, service: Service, number: int
) -> None:
    pull = site.push(manifest("tre"), number=number)
    update_id = deliver(service, pull)
    body = await_comment(site, number, update_id)
    assert "names:\n\n- `tre` at `/0`, entry 1: did you mean `tree`" in body
    newest = site.github.statuses[pull.head_sha][0]
    assert newest["state"] == "failure"
    assert "No match for argument: tre" in newest["description"]


def test_a_manifest_is_refused_with_its_places(site: Site, service: Service, number: int) -> None:
    pull = site.push('["tree", "-y @octocat"]', number=number)
    body = await_comment(site, number, deliver(service, pull))
    assert '- at `/1`, entry 2: found `"-y", an option`' in body
    assert '`"@octocat"' not in body, "a group's name is a package spec"
    assert states(site, pull.head_sha)[-1] == "failure"


def test_the_next_push_edits_the_comment_in_place(
    site: Site, service: Service, number: int
) -> None:
    site.github.say(number, "What do you think?")
    first = deliver(service, site.push(manifest("nope"), number=number))
    await_comment(site, number, first)
    kept = site.github.comments[number][1]["id"]
    pull = site.push(manifest("leaf01"), number=number, action="synchronize")
    await_comment(site, number, deliver(service, pull))
    assert [comment["id"] for comment in site.github.comments[number]][1:] == [kept]
    assert states(site, pull.head_sha)[-1] == "success"


def test_a_deleted_comment_is_written_again(site: Site, service: Service, number: int) -> None:
    await_comment(site, number, deliver(service, site.push(manifest("leaf02"), number=number)))
    site.github.comments[number].clear()
    await_comment(site, number, deliver(service, site.push(manifest("leaf03"), number=number)))
    assert len(comments(site, number)) == 1


def test_what_github_asks_to_wait_is_waited_and_holds_up_no_update(
    site: Site, service: Service, number: int
) -> None:
    limit = {"message": "You have exceeded a secondary rate limit."}
    site.github.answer_next(
        f"/issues/{number}/", status=403, body=limit, headers={"Retry-After": "2"}
    )
    pull = site.push(manifest("leaf04"), number=number)
    update_id = deliver(service, pull)
    await_log(service, f"feedback on update {update_id}: comment")
    assert "rate limit. (asked to wait 2 s); trying again in 2 s" in service.log
    assert service.perform(site.push(manifest("leaf05"), number=next(numbers)))["state"] == (
        "published"
    )
    await_comment(site, number, update_id)
    assert len(comments(site, number)) == 1


def test_feedback_that_is_refused_for_a_while_is_said_in_the_end(site: Site, number: int) -> None:
    database = f"sqlite:///{site.directory}/refused.sqlite"
    config = site.config(**with_token(site, database_url=database, retry_seconds=0.01))
    pull = site.push(manifest("leaf18"), number=number)
    for path in (f"/statuses/{pull.head_sha}", f"/issues/{number}/"):
        for _ in range(8):
            site.github.answer_next(path, status=503)
    with Service.running(site, config) as service:
        update_id = deliver(service, pull)
        await_comment(site, number, update_id)
        wait_for(lambda: states(site, pull.head_sha)[-1:] == ["success"], "the last status")


@pytest.mark.parametrize("number_of", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_waits_for_github_still_ends_when_asked_to(
    site: Site, number: int, number_of: signal.Signals
) -> None:
    """The pause is on disk; nobody need sit it out."""
    limit, hour = {"message": "API rate limit exceeded"}, {"Retry-After": "3600"}
    pull = site.push("[]", number=number)
    site.github.answer_next(f"/statuses/{pull.head_sha}", status=403, body=limit, headers=hour)
    database = f"sqlite:///{site.directory}/hour-{number}.sqlite"
    with Service.running(site, site.config(**with_token(site, database_url=database))) as service:
        update_id = deliver(service, pull)
        await_log(service, f"feedback on update {update_id}: status: GitHub")
        (daemon,) = service.daemons
        os.kill(daemon.pid, number_of)
        wait_for(lambda: not daemon.running, "the service to end")
        assert "Traceback" not in service.log, service.log[service.log.index("Traceback") - 500 :]


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("statuses", "status: GitHub: setting status .* the right 'Commit statuses: write'"),
        ("issues", "comment: GitHub: commenting on .* the right 'Pull requests: write'"),
    ],
)
def test_a_token_without_a_right_fails_no_update_and_the_log_says_which(
    site: Site, service: Service, number: int, right: str, words: str
) -> None:
    site.github.rights.remove(right)
    try:
        pull = site.push(manifest("leaf06"), number=number)
        update_id = deliver(service, pull)
        assert service.end_of(update_id)["state"] in {"published", "unchanged"}
        said, _, missing = words.partition(" .* ")
        await_log(service, f"feedback on update {update_id}: {said}")
        await_log(service, missing)
        # What the token may do is done.
        if right == "statuses":
            await_comment(site, number, update_id)
        else:
            wait_for(lambda: "success" in states(site, pull.head_sha), "a status")
    finally:
        site.github.rights.add(right)
    assert "Traceback" not in service.log, service.log[service.log.index("Traceback") - 500 :]


def test_a_pull_request_that_is_closed_meanwhile_is_told_all_the_same(
    site: Site, service: Service, number: int
) -> None:
    release = hold_manifest(site, "leaf07")
    pull = site.push(manifest("leaf07"), number=number)
    update_id = deliver(service, pull)
    closed = service.deliver(PullRequest(pull.head_sha, number=number, action="closed"))
    assert closed.json()["command_return"] == "ignored"
    release.set()
    await_comment(site, number, update_id)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("locked", "403 Unable to create comment because issue is locked."),
        ("missing_issues", "404"),
    ],
)
def test_a_pull_request_that_takes_no_comment_fails_no_update(
    site: Site, service: Service, number: int, trouble: str, words: str
) -> None:
    getattr(site.github, trouble).add(number)
    pull = site.push(manifest("leaf08"), number=number)
    update_id = deliver(service, pull)
    assert service.end_of(update_id)["state"] in {"published", "unchanged"}
    subject = f"feedback on update {update_id}: comment: GitHub: commenting on"
    await_log(service, f"{subject} {site.repository.name}#{number}: {words}")
    assert states(site, pull.head_sha)[-1] == "success"


def test_a_superseded_update_leaves_the_newer_ones_word(
    site: Site, service: Service, number: int
) -> None:
    release = hold_manifest(site, "leaf09")
    other = deliver(service, site.push(manifest("leaf09"), "other", number=next(numbers)))
    # Only when it has its manifest's answer may others ask: within a second no order is kept.
    wait_for(lambda: service.show(other)["state"] == "running", "the other one to run")
    older = site.push(manifest("nope"), number=number)
    newer = site.push(manifest("leaf10"), number=number, action="synchronize")
    first, second = deliver(service, older), deliver(service, newer)
    release.set()
    assert service.end_of(other)["state"] == "published"
    assert service.end_of(first)["state"] == "superseded"
    await_comment(site, number, second)
    wait_for(lambda: states(site, older.head_sha)[-1] == "success", "the older one's last status")
    wait_for(lambda: states(site, newer.head_sha)[-1] == "success", "the newer one's last status")
    assert len(comments(site, number)) == 1
    assert first not in comments(site, number)[0]


def test_a_delivery_that_comes_again_sets_its_status_to_pending_again(
    site: Site, service: Service, number: int
) -> None:
    pull, delivery_id = site.push(manifest("nope"), number=number), str(uuid.uuid4())
    failed = service.perform(pull, delivery_id=delivery_id)
    await_comment(site, number, failed["update_id"])
    release = hold_manifest(site, "leaf11")
    service.deliver(pull, delivery_id=delivery_id)
    wait_for(lambda: states(site, pull.head_sha)[-1] == "pending", "a pending status")
    release.set()
    await_comment(site, number, "published")
    assert states(site, pull.head_sha)[-1] == "success"


def test_two_mirrors_at_once_share_one_comment(site: Site, number: int) -> None:
    """The first to look for the comment is held while the other could look too."""
    second = site.add_mirror("second")
    database = f"sqlite:///{site.directory}/two.sqlite"
    config = site.config(**with_token(site, database_url=database))
    release = threading.Event()
    site.github.answer_next(f"/issues/{number}/", status=200, body=[], release=release)
    pull = site.push(manifest("leaf12"), number=number)
    with Service.running(site, config) as service:
        update_id = deliver(service, pull)
        for mirror in (site.mirror, second):
            service.end_of(f"{update_id}@{mirror.name}")
        with pytest.raises(LabError):  # one second is ten looks at the queue
            wait_for(lambda: comments(site, number), "a comment by another writer", 1)
        release.set()
        wait_for(
            lambda: [body.count(": published") for body in comments(site, number)] == [2],
            "both mirrors in one comment",
        )
    contexts = {status["context"] for status in site.github.statuses[pull.head_sha]}
    assert contexts == {f"gm-analytics/{site.mirror.name}", "gm-analytics/second"}
    site.mirrors.remove(second)


def test_feedback_is_no_update(site: Site, service: Service, number: int) -> None:
    await_comment(site, number, deliver(service, site.push(manifest("leaf13"), number=number)))
    store = Store(site.settings()["database_url"])
    told = store._client.list_workflows(name=FEEDBACK, limit=1)[0]
    assert not [record for record in store.recent(1000) if FEEDBACK in record.update.id]
    with pytest.raises(UnknownUpdate):
        store.get(told.workflow_id)
    store.close()


def test_without_a_token_nothing_is_asked_and_nothing_stored(site: Site, number: int) -> None:
    database = f"sqlite:///{site.directory}/without.sqlite"
    before = len(site.github.calls)
    with Service.running(site, site.config(database_url=database)) as service:
        status = service.perform(site.push(manifest("leaf14"), number=number))
    assert status["state"] == "published", status
    calls = [call for call in site.github.calls[before:] if not call.path.endswith("/pulls")]
    asked = [call.path.rpartition("/packages/")[2] for call in calls]
    compared = [f"compare/main...{status['commit']}", f"{status['commit']}/packages.json"]
    assert sorted(asked) == sorted(compared), "one request of GitHub's quota"
    store = Store(database)
    assert store._client.list_workflows(name=FEEDBACK) == []
    store.close()


@pytest.fixture
def reviewed(site: Site) -> Iterator[Service]:
    """The service with `publish: on_merge`."""
    database = f"sqlite:///{site.directory}/review.sqlite"
    config = site.config(**with_token(site, publish="on_merge", database_url=database))
    with Service.running(site, config) as running:
        yield running


UNTOUCHED = "the manifest is not changed here"


def test_a_pull_request_that_keeps_the_manifest_has_a_quick_success_and_no_more(
    site: Site, reviewed: Service, number: int
) -> None:
    sha = site.repository.commit({"README.md": "Words"}, f"words-{number}")
    pull = PullRequest(sha, site.repository.name, number)
    before = len(site.github.calls)
    status = reviewed.perform(pull)
    assert (status["state"], status["message"]) == ("unchanged", UNTOUCHED)
    assert [step["name"] for step in status["steps"]] == [
        "supersede", "fetch manifest", "look for preview",
    ]  # fmt: skip
    wait_for(lambda: site.github.calls_to(f"/issues/{number}/", "GET"), "a look for a comment")
    assert states(site, sha)[-1] == "success"
    assert site.github.statuses[sha][0]["description"] == UNTOUCHED
    asked = [call.path.rpartition("/packages/")[2] for call in site.github.calls[before:]]
    told = {path for path in asked if "packages.json" in path or "compare" in path}
    assert told == {f"compare/main...{sha}", "contents/packages.json"}
    assert comments(site, number) == []


def test_one_that_takes_its_change_back_loses_its_preview_and_its_comment_says_so(
    site: Site, reviewed: Service, number: int
) -> None:
    branch, kept = f"back-{number}", site.repository.read("main", "packages.json") or b""
    pull = site.push(manifest("leaf15"), branch, number=number)
    assert reviewed.perform(pull)["state"] == "previewed"
    await_comment(site, number, "a preview is ready")
    again = site.push(kept.decode(), branch, number=number, action="synchronize")
    assert reviewed.perform(again)["state"] == "closed"
    body = await_comment(site, number, "the preview is gone")
    assert f"{UNTOUCHED[:1].upper()}{UNTOUCHED[1:]}; the preview is removed" in body.replace(
        "`", ""
    )
    assert len(comments(site, number)) == 1
    assert site.client(path=f"previews/{number}/").makecache(check=False).returncode != 0
    assert states(site, again.head_sha)[-1] == "success"


def test_no_manifest_is_told_so_and_a_merge_without_one_changes_nothing(
    site: Site, reviewed: Service, number: int
) -> None:
    sha = site.repository.commit({"packages.json": None}, f"without-{number}")
    pull = PullRequest(sha, site.repository.name, number)
    for event, commit in (
        (pull, sha),
        (replace(pull, action="closed", merged=True, merge_commit_sha=sha,
                 merged_at="2026-11-26T10:00:00Z"), sha),
    ):  # fmt: skip
        status = reviewed.perform(event)
        assert status["state"] == "failed"
        assert status["message"] == (
            f"no manifest: {site.repository.name} has no packages.json at {commit}; "
            "nothing changes"
        )
        assert [step["name"] for step in status["steps"]] == ["supersede", "fetch manifest"]
    body = await_comment(site, number, "no manifest")
    assert "To ask for no packages, let it hold an empty list: []." in body
    wait_for(lambda: states(site, sha)[-1] == "failure", "its author's failure")


def test_a_commit_that_github_shows_a_moment_later_is_waited_for(
    site: Site, reviewed: Service, number: int
) -> None:
    pull = site.push(manifest("leaf16"), f"late-{number}", number=number)
    for path, status in (("/compare/", 404), ("/contents/", 404), ("/commits/", 422)):
        site.github.answer_next(path, status=status, body={"message": "No commit found"})
    status = reviewed.perform(pull)
    assert status["state"] == "previewed", status["message"]
    assert "no such commit yet" in reviewed.log


def test_the_line_in_a_previews_comment_installs_from_it_also_after_the_next_push(
    site: Site, reviewed: Service, number: int
) -> None:
    """On a client whose configuration asks for signatures, as EL's does."""
    lib, one = Package("tried-lib"), Package("tried-one", requires=("tried-lib",))
    site.upstream.add(lib, one, Package("tried-two"))
    pull = site.push(manifest("tried-one"), branch="tried", number=number)
    body = await_comment(site, number, deliver(reviewed, pull))
    assert f"### {site.mirror.name}: a preview is ready\n\n" in body
    assert "\n\nCompared with what is live: 2 added" in body
    assert f"| added | `{one.nevra}` | " in body
    assert re.search(f"^- `tried-one`: 2 packages, .*`{lib.nevra}`", body, re.MULTILINE)
    assert line_to_try(body)[-1] == "tried-one"
    client = Client(site.directory / "tried", site.mirror.web.url, options={"gpgcheck": "1"})
    client.dnf(*line_to_try(body))
    assert client.names() == {"tried-lib", "tried-one"}

    again = site.push(manifest("tried-one", "tried-two"), branch="tried", number=number)
    client.dnf(*line_to_try(await_comment(site, number, deliver(reviewed, again))))
    assert "tried-two" in client.names()

    merged = site.merge(again)
    body = await_comment(site, number, deliver(reviewed, merged))
    assert f"### {site.mirror.name}: published" in body
    assert "sudo" not in body
    assert states(site, merged.merge_commit_sha or "")[-1] == "success"
    assert len(comments(site, number)) == 1


def line_to_try(body: str) -> list[str]:
    """Give the arguments that follow `sudo dnf`."""
    return body.partition("```sh\nsudo dnf ")[2].partition("\n")[0].split()


def test_a_pull_request_that_is_closed_is_told_that_its_preview_is_gone(
    site: Site, reviewed: Service, number: int
) -> None:
    pull = site.push(manifest("leaf16"), branch="shut", number=number)
    await_comment(site, number, deliver(reviewed, pull))
    body = await_comment(site, number, deliver(reviewed, replace(pull, action="closed")))
    assert f"### {site.mirror.name}: the preview is gone" in body
    assert states(site, pull.head_sha)[-1] == "success"


def test_feedback_on_an_end_waits_until_the_end_is_stored(
    site: Site, service: Service, number: int
) -> None:
    """It is asked for by the update's last act, while the update still counts as running."""
    release = hold_manifest(site, "leaf17")
    update_id = deliver(service, site.push(manifest("leaf17"), number=number))
    store = Store(site.settings()["database_url"])
    waiting = threading.Thread(target=store.await_end, args=[update_id])
    waiting.start()
    wait_for(lambda: service.show(update_id)["state"] == "running", "the update to run")
    assert waiting.is_alive()
    release.set()
    waiting.join(20)
    assert not waiting.is_alive()
    assert service.show(update_id)["state"] == "published"
    store.close()


@pytest.mark.parametrize(
    ("ended", "steps"), [(False, ["status"]), (True, ["await end", "status", "comment"])]
)
def test_the_end_is_awaited_before_anything_is_said(
    site: Site, *, ended: bool, steps: list[str]
) -> None:
    service = Inside(settings.Settings.model_validate(site.settings(**with_token(site))))
    done: list[str] = []
    update = Update("d1", site.mirror.name, site.repository.name, 1, "a" * 40)
    report = service.reporter
    assert report
    report(update, ended, lambda name, *_: done.append(name))  # type: ignore[arg-type,return-value]
    assert done == steps
    service.store.close()


class Full:
    """A store that takes updates and no feedback."""

    def take(self, _: object, update: Update, mirrors: Sequence[str], **__: object) -> Taken:
        begun = replace(update, id="u1", mirror=mirrors[0])
        return Taken("u1", begun=(begun,))

    def enqueue_feedback(self, update: object, *, ended: bool) -> None:
        raise StoreUnavailable("storing feedback", "disk full")


def test_feedback_that_cannot_be_stored_fails_no_delivery(
    site: Site, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = Inside(settings.Settings.model_validate(site.settings(**with_token(site))))
    service.__dict__["store"] = Full()
    pull = PullRequest("a" * 40, number=number)
    payload = json.dumps(pull.payload()).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": "pull_request",
        "x-github-delivery": "d1",
        "x-hub-signature-256": signature(site.secret, payload),
    }
    assert service.intake.receive(headers, payload).status == 202
    service.intake.threads.shutdown()
    assert "update u1: no feedback: store: storing feedback: disk full" in caplog.text


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_is_killed_while_commenting_leaves_one_comment(
    site: Site, number: int, moment: str
) -> None:
    database = f"sqlite:///{site.directory}/killed-{moment}.sqlite"
    config = site.config(**with_token(site, database_url=database, executor_id="killed"))
    web = Service(site, config)
    web.start_web()
    try:
        update_id = deliver(web, site.push(manifest("leaf15"), number=number))
    finally:
        web.stop(kill=True)
    environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(config)}
    command = [sys.executable, "-m", "tests.integration.killed", "comment", moment]
    worker = subprocess.Popen(command, env=environment, cwd=Path.cwd())
    assert worker.wait(30) == -signal.SIGKILL
    assert len(comments(site, number)) == (moment == "after")
    with Service.running(site, config):
        await_comment(site, number, update_id)
        calls = f"/issues/{number}/comments"
        seen = 2 if moment == "after" else 1
        wait_for(lambda: len(site.github.calls_to(calls, "GET")) >= seen, "the step to be done")
    assert len(comments(site, number)) == 1


def push(site: Site, service: Service, sha: str) -> str:
    """Deliver a push of a commit on the branch that is followed; give its update's id."""
    repository = PullRequest(sha, site.repository.name).payload()["repository"]
    payload = {
        "ref": "refs/heads/main",
        "after": sha,
        "pusher": None,
        "repository": repository | {"pushed_at": int(time.time())},
    }
    reply = post(service.url, payload, site.secret, event="push")
    assert reply.status_code == 202, reply.text
    return str(reply.json()["update_id"])


def test_a_push_publishes_and_is_told_where_it_can_be(
    site: Site, reviewed: Service, number: int
) -> None:
    """On the commit alone without a pull request, else as the merge that it is."""
    before = site.repository.read("main", "packages.json")
    sha = site.repository.commit({"packages.json": manifest("leaf18")})
    direct = push(site, reviewed, sha)
    assert reviewed.end_of(direct)["state"] == "published"
    wait_for(lambda: states(site, sha)[-1:] == ["success"], "the push's status")
    assert comments(site, 0) == []
    pull = site.push(manifest("leaf18", "leaf19"), branch=f"pushed-{number}", number=number)
    await_comment(site, number, deliver(reviewed, pull))
    merged = site.merge(pull)
    site.github.add_pull(merged.payload())
    update_id = push(site, reviewed, merged.merge_commit_sha or "")
    assert update_id.startswith("push-"), "it came first"
    shown = reviewed.end_of(update_id)
    assert (shown["state"], shown["pull_request"]) == ("published", f"team/packages#{number}")
    assert deliver(reviewed, merged) == update_id
    assert f"### {site.mirror.name}: published" in await_comment(site, number, update_id)
    assert site.client(path=f"previews/{number}/").makecache(check=False).returncode != 0
    site.repository.commit({"packages.json": before})


# --- pull requests that cause no update -------------------------------------------------------


def told(site: Site, sha: str) -> list[tuple[str, str]]:
    """Give what was said on a commit, the oldest first."""
    said = reversed(site.github.statuses.get(sha, []))
    return [(status["state"], status["description"]) for status in said]


def ignored(service: Service, pull: PullRequest) -> str:
    reply = service.deliver(pull)
    assert (reply.status_code, reply.json()["command_return"]) == (200, "ignored"), reply.text
    return str(reply.json()["reason"])


def test_an_ignored_pull_request_is_told_once_why_and_counts_once_it_may(
    site: Site, service: Service, number: int
) -> None:
    site.mirror.forget_policy("on_pull_request")
    base = "its base is experiment-7; the mirror follows main"
    away = site.push(manifest("leaf31"), number=number, base_ref="experiment-7")
    live = site.mirror.host.root.joinpath("repodata").resolve()
    for _ in range(3):
        assert ignored(service, away) == base
    said = wait_for(lambda: told(site, away.head_sha), "what is said of another base")
    assert said == [("error", f"ignored: {base}")]
    (status,) = site.github.statuses[away.head_sha]
    assert status["context"] == f"gm-analytics/{site.mirror.name}"
    assert site.mirror.host.root.joinpath("repodata").resolve() == live, "nothing is published"
    edited = replace(
        away, base_ref="main", action="edited", changes={"base": {"ref": {"from": "experiment-7"}}}
    )
    done = service.perform(edited)
    assert done["state"] == "published", done["message"]
    wait_for(lambda: states(site, away.head_sha)[-1] == "success", "the last status")
    assert ignored(service, replace(away, action="synchronize")) == base
    settle(site, service)
    assert [state for state, _ in told(site, away.head_sha)][-1] == "success", "its update's word"
    assert states(site, away.head_sha).count("error") == 1


def settle(site: Site, service: Service) -> None:
    """Wait until what was asked for before is said: another pull request's is, in its turn."""
    other = site.push(manifest("leaf20"), "settle", number=next(numbers), draft=True)
    assert ignored(service, other) == "the pull request is a draft"
    wait_for(lambda: told(site, other.head_sha), "what is said of a draft")


def test_a_draft_waits_and_nothing_is_said_of_forks_and_kept_manifests(
    site: Site, service: Service
) -> None:
    site.mirror.forget_policy("on_pull_request")
    draft = site.push(manifest("leaf21"), "a-draft", number=next(numbers), draft=True)
    fork = site.push(
        manifest("leaf26"), "a-fork", number=next(numbers), head_repository="eve/packages"
    )
    kept = site.repository.commit({"README": "hello"}, "keeps")
    keeps = PullRequest(kept, site.repository.name, number=next(numbers), base_ref="experiment-7")
    site.repository.commit({"LICENSE": "MIT"}, "experiment-7")
    for pull in (fork, draft, keeps):
        ignored(service, pull)
    wait_for(lambda: told(site, kept), "what is said of a kept manifest")
    assert told(site, kept) == [("success", "the manifest is not changed here")]
    wait_for(lambda: told(site, draft.head_sha), "what is said of a draft")
    assert told(site, draft.head_sha) == [("pending", "waiting: the pull request is a draft")]
    assert told(site, fork.head_sha) == []
    ready = replace(draft, draft=False, action="ready_for_review")
    assert service.perform(ready)["state"] == "published"
    wait_for(lambda: states(site, draft.head_sha)[-1] == "success", "the last status")


def test_authors_whom_the_configuration_leaves_out_are_told_and_others_count(site: Site) -> None:
    database = f"sqlite:///{site.directory}/narrow.sqlite"
    webhook = {
        "secret": site.secret,
        "repositories": [site.repository.name],
        "trusted_authors": ["Dependabot[bot]"],
    }
    changes = with_token(site, database_url=database, webhook=webhook)
    with Service.running(site, site.config(**changes)) as service:
        person = site.push(manifest("leaf22"), "person", number=next(numbers))
        assert "octo-author is MEMBER" in ignored(service, person)
        said = wait_for(lambda: told(site, person.head_sha), "why the author is left out")
        who = "author octo-author is MEMBER; trusted are those of webhook.trusted_authors"
        assert said == [("error", f"ignored: {who}")]
        bot = site.push(
            manifest("leaf23"), "bot", number=next(numbers), user="dependabot[bot]",
            author_association="NONE",
        )  # fmt: skip
        assert service.perform(bot)["state"] == "published"


def test_what_a_strange_web_stores_of_ignored_pull_requests_is_not_said(
    site: Site, service: Service
) -> None:
    """The worker decides again, by its own configuration, on values that have a form."""
    event = PullRequestEvent(
        "opened", "opened", next(numbers), site.repository.name, site.repository.head(), "main",
        "octo-author", "MEMBER", False, False, default_branch="main",
    )  # fmt: skip
    store = Store(site.settings()["database_url"])
    forged = [
        event,  # not ignored
        replace(event, repository="else/where", draft=True),
        replace(event, base_ref="experiment 7: see http://x"),
        replace(event, fork=True),
    ]
    for number, one in enumerate(forged):
        store.enqueue_notice(one, f"please visit {number}")
    wait_for(lambda: service.log.count("no pull request that is ignored") == 4, "four refusals")
    store.close()
    assert told(site, event.head_sha) == []


def test_a_pull_request_that_is_only_looked_at_is_told_too(site: Site) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    away = site.push(
        manifest("leaf32"), "polled", number=next(numbers), base_ref="experiment-7", updated_at=now
    )
    site.github.add_pull(away.payload())
    database = f"sqlite:///{site.directory}/polled.sqlite"
    polls = {"intake": "poll", "reconcile_seconds": 0.5, "publish": "on_merge"}
    with Service.running(site, site.config(**with_token(site, database_url=database, **polls))):
        said = wait_for(lambda: told(site, away.head_sha), "why it is ignored")
    assert said == [("error", "ignored: its base is experiment-7; the mirror follows main")]
