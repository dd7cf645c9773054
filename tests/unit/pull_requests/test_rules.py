"""Which event causes which update, from a delivery's bytes to what the update aims at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gm_analytics.errors import BadDelivery
from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests import rules as code
from gm_analytics.pull_requests.rules import Check, Rules
from gm_analytics.settings import Settings
from tests.unit.github.test_webhook import GROUP, PUSH, SHA, changed, parse, payload

RULES = Rules(frozenset({"icesi/packages"}))


def event(data: Any) -> PullRequestEvent:
    found = parse(data).event
    assert isinstance(found, PullRequestEvent)
    return found


def reason(data: Any, rules: Rules = RULES) -> str | None:
    """Give why an event causes no update."""
    found = rules.decide(event(data))
    return found if isinstance(found, str) else None


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review"])
def test_a_trusted_pull_request_of_a_listed_repository_causes_an_update(action: str) -> None:
    assert reason(changed("action", action)) is None


@pytest.mark.parametrize("action", ["closed", "labeled", "edited", "converted_to_draft", ""])
def test_other_actions_cause_none(action: str) -> None:
    assert reason(changed("action", action)) == f"action {action} causes no update"


def test_a_merge_is_read_as_such_and_causes_none() -> None:
    data = payload(merged=True, merge_commit_sha=SHA[::-1], merged_at="2026-11-24T10:00:00Z")
    data["action"] = "closed"
    found = event(data)
    assert (found.happened, found.merge_commit_sha) == ("merged", SHA[::-1])
    assert reason(data) == "action closed causes no update"


# --- publish: on_merge ----------------------------------------------------------------------

ON_MERGE = replace(RULES, publish="on_merge")


def on_merge(rules: Rules = ON_MERGE, action: str = "opened", **pull: Any) -> str:
    """Give what an event is to do, or why nothing."""
    data = payload(**pull) | {"action": action}
    data["repository"]["default_branch"] = "main"
    found = rules.decide(event(data))
    return found if isinstance(found, str) else found.word


MERGED = {"merged": True, "merge_commit_sha": SHA[::-1], "merged_at": "2026-11-24T10:00:00Z"}


def test_a_pull_request_is_previewed_merged_or_closed() -> None:
    assert [on_merge(action=action) for action in ("opened", "synchronize")] == ["preview"] * 2
    assert on_merge(action="closed", **MERGED) == "merge"
    assert on_merge(action="closed") == "close"


@pytest.mark.parametrize(
    "pull",
    [
        {"head": {"sha": SHA, "repo": None}},
        {"draft": True},
    ],
)
def test_an_end_counts_whoever_began_since_a_merge_is_the_base_s_own(pull: Any) -> None:
    assert on_merge(**pull) not in {"preview", "merge", "close"}
    assert on_merge(action="closed", **MERGED, **pull) == "merge"
    assert on_merge(action="closed", **pull) == "close"


@pytest.mark.parametrize("action", ["opened", "closed"])
def test_another_base_than_the_branch_that_is_followed_is_ignored(action: str) -> None:
    base = {"ref": "next", "repo": {"full_name": "icesi/packages"}}
    assert on_merge(action=action, base=base, **MERGED) == (
        "its base is next; the mirror follows main"
    )
    followed = replace(ON_MERGE, branch="next")
    assert on_merge(followed, action, base=base, **MERGED) in {"preview", "merge"}
    assert on_merge(followed, action, **MERGED) == "its base is main; the mirror follows next"


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review"])
def test_a_pull_request_against_another_branch_adds_nothing_either(action: str) -> None:
    base = {"ref": "experiment-7", "repo": {"full_name": "icesi/packages"}}
    data = payload(base=base) | {"action": action}
    data["repository"]["default_branch"] = "main"
    assert reason(data) == "its base is experiment-7; the mirror follows main"
    assert reason(data, replace(RULES, branch="experiment-7")) is None
    data["pull_request"]["base"]["ref"] = "main"
    assert reason(data) is None
    assert reason(data, replace(RULES, branch="experiment-7")) == (
        "its base is main; the mirror follows experiment-7"
    )


@pytest.mark.parametrize(("to", "kind"), [("main", "preview"), ("next", "close")])
def test_another_base_begins_a_preview_or_ends_it(to: str, kind: str) -> None:
    base = {"ref": to, "repo": {"full_name": "icesi/packages"}}
    data = payload(base=base) | {"action": "edited", "changes": {"base": {"ref": {"from": "x"}}}}
    data["repository"]["default_branch"] = "main"
    found = ON_MERGE.decide(event(data))
    assert not isinstance(found, str)
    assert found.word == kind
    away = None if to == "main" else "its base is next; the mirror follows main"
    assert reason(data) == away


def test_an_edit_of_something_else_causes_none() -> None:
    assert on_merge(action="edited") == "action edited causes no update"


def pushed(rules: Rules = ON_MERGE, **more: Any) -> str:
    """Give what a push is to do, or why nothing."""
    found = parse(PUSH | more, **{"x-github-event": "push"})
    assert found.event is not None, found.reason
    done = rules.decide(found.event)
    return done if isinstance(done, str) else done.word


def test_a_push_on_the_branch_that_is_followed_is_a_merge() -> None:
    assert pushed() == "merge"
    assert pushed(ref="refs/heads/next") == "it is a push of next; the mirror follows main"
    assert pushed(replace(ON_MERGE, branch="next"), ref="refs/heads/next") == "merge"
    assert "a push adds nothing" in pushed(RULES)
    assert "not listed" in pushed(replace(ON_MERGE, repositories=frozenset()))


def queued(rules: Rules = ON_MERGE, **more: Any) -> str:
    """Give what a merge group is to do, or why nothing."""
    data = GROUP | {"merge_group": GROUP["merge_group"] | more}
    found = parse(data, **{"x-github-event": "merge_group"})
    assert found.event is not None, found.reason
    done = rules.decide(found.event)
    return done if isinstance(done, str) else f"{done.word} {done.mode}"


def test_a_merge_group_of_the_branch_that_is_followed_is_tried_in_both_modes() -> None:
    assert (queued(), queued(RULES)) == ("queue exact", "queue additive")
    another = "its base is next; the mirror follows main"
    assert queued(base_ref="refs/heads/next") == another
    assert queued(RULES, base_ref="refs/heads/next") == another
    assert "not listed" in queued(replace(ON_MERGE, repositories=frozenset()))


def test_an_end_in_an_unlisted_repository_is_ignored() -> None:
    assert "not listed" in on_merge(
        replace(ON_MERGE, repositories=frozenset()), "closed", **MERGED
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("merge_commit_sha", None), ("merge_commit_sha", "main"), ("merged_at", "yesterday")],
)
def test_a_merge_without_commit_or_time_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(BadDelivery, match=rf"^pull_request\.{field}: found"):
        on_merge(action="closed", **{**MERGED, field: value})


@pytest.mark.parametrize(
    "repo",
    [
        pytest.param(None, id="a deleted fork"),
        pytest.param({"full_name": "mallory/packages"}, id="another owner"),
        pytest.param({"full_name": "icesi/packages2"}, id="another name"),
        pytest.param({"full_name": None}, id="no name"),
        pytest.param({}, id="no name at all"),
        pytest.param("icesi/packages", id="a string"),
    ],
)
def test_a_head_that_is_not_the_base_repository_s_is_a_fork(repo: Any) -> None:
    assert reason(payload(head={"sha": SHA, "repo": repo})) == (
        "icesi/packages#7 comes from a fork"
    )


def test_a_head_without_repo_is_a_fork() -> None:
    assert reason(payload(head={"sha": SHA})) == "icesi/packages#7 comes from a fork"


def test_names_of_repositories_differ_by_more_than_case() -> None:
    """GitHub's own names are case-insensitive: neither list nor fork check tells them apart."""
    data = payload(head={"sha": SHA, "repo": {"full_name": "Icesi/Packages"}})
    data["repository"]["full_name"] = "ICESI/packages"
    assert reason(data) is None
    assert reason(payload(), Rules(frozenset({"Icesi/PACKAGES"}))) is None


def test_a_repository_that_is_not_listed_is_ignored() -> None:
    said = reason(payload(), Rules(frozenset({"icesi/other"})))
    assert said == "repository icesi/packages is not listed in webhook.repositories"


def test_a_draft_is_ignored() -> None:
    assert reason(payload(draft=True)) == "the pull request is a draft"


ASSOCIATIONS = [
    "OWNER", "MEMBER", "COLLABORATOR", "CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR",
    "MANNEQUIN", "NONE", None,
]  # fmt: skip
PEOPLE = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
NARROW = replace(RULES, trusted_associations=PEOPLE)


@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_a_branch_of_the_repository_is_proof_enough(association: str | None) -> None:
    """Of members whose membership is private, and of bots, GitHub says CONTRIBUTOR or NONE."""
    assert reason(payload(author_association=association)) is None
    assert reason(payload(author_association=association, user=None)) is None
    assert reason(changed("pull_request.author_association", ...)) is None


@pytest.mark.parametrize("association", [*ASSOCIATIONS, "owner"])
def test_associations_that_are_named_narrow_it_and_the_reason_says_to_whom(
    association: str | None,
) -> None:
    who = association or "NONE"
    said = reason(payload(author_association=association), NARROW)
    refusal = f"author ana is {who}; trusted are COLLABORATOR, MEMBER, OWNER"
    assert said == (None if who in PEOPLE else refusal)


def test_authors_that_are_named_narrow_it_or_are_let_in_beside_the_associations() -> None:
    alone = replace(RULES, trusted_authors=frozenset({"ANA", "DEPENDABOT[BOT]"}))
    bot, stranger = {"login": "dependabot[bot]"}, {"login": "eve"}
    assert reason(payload(user=bot, author_association="NONE"), alone) is None
    assert reason(payload(author_association="NONE"), alone) is None
    said = "author eve is MEMBER; trusted are those of webhook.trusted_authors"
    assert reason(payload(user=stranger), alone) == said
    assert "author unknown" in str(reason(payload(user=None), alone))
    both = replace(alone, trusted_associations=PEOPLE)
    assert reason(payload(user=stranger), both) is None
    assert reason(payload(user=bot, author_association="NONE"), both) is None
    assert str(reason(payload(user=stranger, author_association="NONE"), both)).endswith(
        "trusted are COLLABORATOR, MEMBER, OWNER, those of webhook.trusted_authors"
    )


def test_nobody_is_let_in_from_a_fork() -> None:
    named = replace(RULES, trusted_associations=PEOPLE, trusted_authors=frozenset({"ANA"}))
    fork = {"sha": SHA, "repo": {"full_name": "ana/packages"}}
    assert reason(payload(head=fork), named) == "icesi/packages#7 comes from a fork"


def test_the_configuration_names_logins_in_any_case() -> None:
    webhook = {"secret": "s" * 16, "repositories": ["icesi/packages"], "trusted_authors": ["Ana"]}
    mirror = {
        "name": "m", "identity_file": "/k", "known_hosts": "/h", "url": "http://m/",
        "upstream": {"releasever": "9"},
    }  # fmt: skip
    rules = Rules.of(Settings.model_validate({"webhook": webhook, "mirrors": [mirror]}))
    assert reason(payload(user={"login": "ANA"}), rules) is None
    assert reason(payload(user={"login": "eve"}), rules)


def test_whom_to_trust_is_a_rule_of_the_installation() -> None:
    rules = replace(RULES, trusted_associations=frozenset({"CONTRIBUTOR"}))
    assert reason(payload(author_association="CONTRIBUTOR"), rules) is None


@pytest.mark.parametrize(
    ("pull", "is_told"),
    [
        ({"draft": True}, True),
        ({"base": {"ref": "next", "repo": {"full_name": "icesi/packages"}}}, True),
        ({"head": {"sha": SHA, "repo": None}}, False),
        ({"head": {"sha": SHA, "repo": {"full_name": "eve/packages"}}, "draft": True}, False),
    ],
)
def test_what_waits_for_something_is_told_and_a_fork_is_not(pull: Any, is_told: bool) -> None:
    for action in ("opened", "synchronize", "reopened", "ready_for_review"):
        found = event(payload(**pull) | {"action": action})
        assert RULES.tells(found) == is_told
    for action in ("closed", "labeled", "edited"):
        assert not RULES.tells(event(payload(**pull) | {"action": action}))
    unlisted = replace(RULES, repositories=frozenset({"icesi/other"}))
    assert not unlisted.tells(event(payload(**pull)))


# --- the table of the documents -------------------------------------------------------------

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
HEAD = "| `publish` | action of `pull_request`, or event | base branch, or branch | update | if |"
ACTIONS: dict[str, dict[str, Any]] = {
    "`opened`": {"action": "opened"},
    "`reopened`": {"action": "reopened"},
    "`synchronize`": {"action": "synchronize"},
    "`ready_for_review`": {"action": "ready_for_review"},
    "`edited`, another base": {"action": "edited", "changes": {"base": {"ref": {"from": "x"}}}},
    "`closed`, merged": {"action": "closed", "pull": MERGED},
    "`closed`, not merged": {"action": "closed"},
}
BASES = {"the one that is followed": "followed", "another": "another"}
WORDS = {
    "addition": "add",
    "trial": "queue",
    "preview": "preview",
    "merge": "merge",
    "close": "close",
}
CHECKS: dict[str, Check] = {
    "no draft": code.finished,
    "no fork": code.own_branch,
    "trusted author": code.trusted,
}


def happened(said: str) -> str:
    """Give what an action of the documents is, as a delivery of it is read."""
    others = {"`push`": PUSH, "`merge_group`, checks requested": GROUP}
    if said in others:
        name = said.strip("`").partition("`")[0]
        found = parse(others[said], **{"x-github-event": name}).event
        assert found is not None
        return found.happened
    given = dict(ACTIONS[said])
    return event(payload(**given.pop("pull", {})) | given).happened


def documented() -> list[tuple[str, str, str, str, tuple[Check, ...]]]:
    """Read the table of the documents."""
    _, _, rest = OPERATIONS.read_text("utf-8").partition(HEAD)
    lines = [line for line in rest.partition("\n\n")[0].splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [
        (publish.strip("`"), happened(action), BASES[base], WORDS[update],
         tuple(CHECKS[check] for check in checks.split(", ") if check))
        for publish, action, base, update, checks in rows
    ]  # fmt: skip


def test_the_documents_have_the_table_that_decides() -> None:
    decides = [
        (row.publish, row.happened, row.base, row.aim.word, row.checks) for row in code.TABLE
    ]
    assert documented() == decides
