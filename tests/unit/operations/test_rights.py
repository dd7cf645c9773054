"""What `check` says of a token's rights: each that is missing, with its cure."""

from __future__ import annotations

from typing import Any

import pytest

from gm_analytics.github.rights import Right, Rights
from gm_analytics.operations import rights
from gm_analytics.operations.findings import Finding
from tests.unit.pull_requests.test_reconciler import NAME, config


def found(monkeypatch: pytest.MonkeyPatch, *given: Right, **more: Any) -> list[Finding]:
    monkeypatch.setattr(Rights, "of", lambda *_: iter(given))
    return list(rights.findings(config(**{"github": {"token": "t"}, **more})))


def test_each_missing_right_is_a_line_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Right("statuses", "Commit statuses: write", "GitHub says 403 no")
    hidden = Right("manifests", "Contents: read", "GitHub says 404 Not Found")
    assert found(monkeypatch, Right("repository"), hidden, lacking) == [
        Finding(
            f"github {NAME}", "fail",
            "reading manifests is not allowed: GitHub says 404 Not Found",
            "Give the token Contents: read.",
        ),
        Finding(
            f"github {NAME}", "warn", "setting statuses is not allowed: GitHub says 403 no",
            "Give the token Commit statuses: write.",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(("intake", "severity"), [("webhook", "warn"), ("poll", "fail")])
def test_who_polls_must_list_pull_requests(
    monkeypatch: pytest.MonkeyPatch, intake: str, severity: str
) -> None:
    lacking = Right("pull requests", "Pull requests: read", "GitHub says 403 no")
    (told,) = found(monkeypatch, Right("repository"), lacking, intake=intake)
    assert told.severity == severity


def test_what_is_allowed_is_one_line_with_what_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = Right("comments", said="not known before there is a pull request")
    (told,) = found(monkeypatch, Right("repository"), Right("manifests"), unknown)
    assert told == Finding(
        f"github {NAME}", "ok",
        "allowed are reading manifests (commenting on pull requests: not known before there is a "
        "pull request)",
    )  # fmt: skip


def test_without_a_token_one_is_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Right("repository", "access to it", "GitHub says 404 Not Found")
    (told,) = found(monkeypatch, hidden, github={})
    assert told.hint.startswith("Give the service a token")
