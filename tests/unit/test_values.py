"""Groups, stored values, and what the command line prints."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.cli import output as console
from gm_analytics.cli import updates as cli
from gm_analytics.engine.serializer import JsonSerializer
from gm_analytics.errors import (
    GitHubUnavailable,
    GmError,
    LockHeld,
    ManifestError,
    MirrorUnreachable,
    Problem,
    StoreUnavailable,
    ToolsMissing,
    Unexpected,
    UnknownPackages,
)
from gm_analytics.mirror.host import usable
from gm_analytics.mirror.survey import Tools
from gm_analytics.operations import findings
from gm_analytics.remote import opening, ssh
from gm_analytics.rpm import comps
from gm_analytics.rpm.changes import Change, Plan, size_text
from gm_analytics.updates.model import Outcome, Record, StepRecord, Update
from gm_analytics.web.update_json import update_json


def document(**groups: str) -> bytes:
    """Give a comps.xml with groups, by id, that hold one package each."""
    texts = [
        f"<group><id>{name}</id><packagelist><packagereq>{package}</packagereq></packagelist></group>"
        for name, package in groups.items()
    ]
    return f"<?xml version='1.0'?><comps>{''.join(texts)}</comps>".encode()


def groups_of(text: bytes | None) -> dict[str, list[str | None]]:
    assert text is not None
    return {
        group.findtext("id", ""): [request.text for request in group.iter("packagereq")]
        for group in ET.fromstring(text).iter("group")
    }


# --- comps ----------------------------------------------------------------------------------


def test_what_is_served_stays_and_upstream_says_what_each_group_is_now() -> None:
    """What is served is as old as the publication that brought it."""
    served, now = document(old="zlib", tools="stale"), document(tools="tree", games="chess")
    merged = comps.merge([now], [served], {"games"}, served)
    assert groups_of(merged) == {"old": ["zlib"], "tools": ["tree"], "games": ["chess"]}


def test_a_group_of_two_repositories_is_what_both_say() -> None:
    now = [document(a="one", b="x"), document(a="two", b="x")]
    assert groups_of(comps.merge(now, [], {"a", "b"}, None)) == {"a": ["one", "two"], "b": ["x"]}


def test_a_group_that_upstream_lacks_is_as_it_was_reviewed_or_served() -> None:
    others = [document(a="reviewed"), document(a="served", b="served")]
    merged = comps.merge([document(c="now")], others, {"a", "b"}, None)
    assert groups_of(merged) == {"a": ["reviewed"], "b": ["served"]}


def test_what_is_beside_groups_stays_and_what_does_not_change_keeps_its_bytes() -> None:
    served = (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><comps><group><id>a</id><name>caf\xe9</name>'
        b"</group><environment><id>minimal</id></environment></comps>"
    )
    assert comps.merge([document(b="x")], [served], (), served) == served
    merged = comps.merge([document(b="x")], [served], {"b"}, served)
    assert merged
    assert "caf\u00e9".encode() in merged
    assert b"<environment><id>minimal</id></environment>" in merged


@pytest.mark.parametrize("current", [[], [b"<comps/>"], [document(games="chess")]])
def test_without_any_group_there_is_no_document(current: list[bytes]) -> None:
    assert comps.merge(current, [], {"tools"}, None) is None


def test_a_group_installs_no_optional_package_and_a_conditional_one_with_its_condition() -> None:
    requests = (
        '<packagereq type="mandatory">a</packagereq><packagereq type="default">b</packagereq>'
        '<packagereq type="optional">c</packagereq><packagereq>d</packagereq>'
        '<packagereq type="conditional" requires="a">e</packagereq>'
        '<packagereq type="conditional" requires="z">f</packagereq>'
    )
    text = f"<comps><group><id>tools</id><packagelist>{requests}</packagelist></group></comps>"
    documents = [text.encode(), document(tools="g", games="chess")]
    assert comps.members(documents, "tools", {"a"}) == {"a", "b", "d", "e", "g"}
    assert comps.members(documents, "absent", {"a"}) == frozenset()


NAMED = b"""<comps>
<group><id>core</id><name>Core</name><name xml:lang="de">Kern</name><packagelist>
<packagereq>bash</packagereq></packagelist></group>
<group><id>devel</id><name>Development Tools</name><packagelist>
<packagereq>gcc</packagereq></packagelist></group>
<group><id>Standard</id><name>standard things</name></group>
<group><id>standard</id><name>Other</name></group>
<group><id>extra</id><name>Extra</name></group>
<environment><id>minimal-environment</id><name>Minimal Install</name>
<grouplist><groupid>core</groupid></grouplist>
<optionlist><groupid>standard</groupid><groupid>devel</groupid></optionlist></environment>
</comps>"""


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("core", {"core"}),
        ("Core", {"core"}),
        ("CORE", {"core"}),
        ("kern", {"core"}),
        ("Development Tools", {"devel"}),
        ("development tools", {"devel"}),
        ("standard", {"standard"}),
        ("STANDARD", {"standard", "Standard"}),
        ("minimal-environment", {"core"}),
        ("^minimal-environment", {"core"}),
        ("minimal install", {"core"}),
        ("^core", set()),
        ("absent", set()),
    ],
)
def test_what_stands_behind_an_at_is_taken_as_dnf_takes_it(name: str, groups: set[str]) -> None:
    """An id or a name; if none is equal, one that is but for its case; environments too."""
    merged = comps.merge([NAMED], [], {name}, None)
    assert set(groups_of(merged) if merged else ()) == groups
    packages = {"core": "bash", "devel": "gcc"}
    installed = {packages[group] for group in groups if group in packages}
    assert comps.members([NAMED], name, ()) == installed


def test_an_environment_goes_on_with_the_groups_that_are_there() -> None:
    """dnf complains of each group that an environment names and that is not there."""
    merged = comps.merge([NAMED], [], {"Minimal Install", "devel"}, None)
    found = ET.fromstring(merged or b"").find("environment")
    assert found is not None
    assert [one.text for one in found.iter("groupid")] == ["core", "devel"]
    now = NAMED.replace(b"<groupid>core", b"<groupid>extra</groupid><groupid>core")
    again = comps.merge([now], [merged or b""], (), merged)
    assert set(groups_of(again)) == {"core", "devel", "extra"}, "what it is of now"
    assert comps.merge([now], [again or b""], (), again) == again


def test_an_environment_of_two_repositories_has_the_groups_of_both() -> None:
    more = b"<comps><environment><id>minimal-environment</id><grouplist><groupid>extra</groupid>"
    documents = [NAMED, more + b"</grouplist></environment></comps>"]
    merged = comps.merge(documents, [], {"^minimal-environment"}, None)
    assert set(groups_of(merged)) == {"core", "extra"}


def test_the_ids_of_all_groups_are_known() -> None:
    assert comps.ids([document(a="x", b="y"), document(b="z")]) == {"a", "b"}


# --- store ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, True, 7, 1.5, "ü\u2028\0", [1, [2]], {"a": {"b": [None]}}, {"error": "x"}]
)
def test_stored_values_come_back_as_they_were(value: Any) -> None:
    store = JsonSerializer()
    text = store.serialize(value)
    assert json.loads(text) == value
    assert store.deserialize(text) == value


@pytest.mark.parametrize(
    "error",
    [
        LockHeld("m", "/var/repo/.lock"),
        UnknownPackages("m", ["nope"], {"nope": ["nop"]}),
        ManifestError([Problem("/0", "7", "a string")]),
        GitHubUnavailable("reading", "429", 17.0),
    ],
)
def test_stored_errors_come_back_as_errors(error: GmError) -> None:
    store = JsonSerializer()
    back = store.deserialize(store.serialize(error))
    assert type(back) is type(error)
    assert back.to_json() == error.to_json()


def test_other_errors_come_back_as_unexpected_ones() -> None:
    store = JsonSerializer()
    back = store.deserialize(store.serialize(KeyError("x")))
    assert isinstance(back, Unexpected)
    assert (back.kind, back.message) == ("KeyError", "'x'")


def test_what_is_not_json_cannot_be_stored() -> None:
    with pytest.raises(TypeError):
        JsonSerializer().serialize(object())


# --- command line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1536, "1.54 kB"), (10**6, "1 MB"),
        (5_767_168, "5.77 MB"), (2.5e9, "2.5 GB"), (3e12, "3e+03 GB"), (999_700, "1 MB"),
    ],
)  # fmt: skip
def test_sizes_are_short(size: float, text: str) -> None:
    assert size_text(size) == text


def test_a_plan_lists_its_changes_and_their_sum() -> None:
    plan = Plan(
        (
            Change("added", "tree-1-1.noarch", 1000, "base"),
            Change("upgraded", "zlib-2-1.noarch", 500, "updates", "zlib-1-1.noarch"),
        )
    )
    assert console.plan_text(plan).splitlines() == [
        "added      tree-1-1.noarch  1 kB  from base",
        "upgraded   zlib-2-1.noarch  500 B  from updates  (now zlib-1-1.noarch)",
        "1 added, 1 upgraded; 1.5 kB new",
    ]


def test_a_plan_without_changes_says_so() -> None:
    assert console.plan_text(Plan(())) == "nothing would change"


def record(**values: Any) -> Record:
    update = Update("u1", "m", "icesi/packages", 7, "a" * 40)
    return Record(
        **{
            "update": update,
            "state": "failed",
            "message": "said",
            "accepted_at": 0.0,
            "started_at": 1.0,
            "completed_at": 2.0,
            **values,
        }
    )


def test_an_update_is_shown_with_its_steps_and_their_errors() -> None:
    steps = (StepRecord("survey", 1.0, 1.5), StepRecord("download", 2.0, 4.0, "broken"))
    assert cli._record_text(record(steps=steps)).splitlines() == [
        "u1  failed      1970-01-01 00:00:00 UTC  m  icesi/packages#7",
        "    said",
        "    survey            0.50 s",
        "    download          2.00 s  broken",
    ]


def test_an_error_is_shown_with_its_hint() -> None:
    text = cli._record_text(record(error=LockHeld("m", "x")))
    assert text.splitlines()[2] == f"    hint: {LockHeld('m', 'x').hint}"


def test_an_update_as_json_has_its_error_s_data_for_the_operator_alone() -> None:
    locked = record(error=LockHeld("m", "/x/.lock"))
    (private,), (public,) = (
        json.loads(json.dumps(update_json("u1", [locked], private=private)))["mirrors"]
        for private in (True, False)
    )
    assert private["error"] == {
        "error": "LockHeld",
        "fault": "operator",
        "hint": LockHeld("m", "/x/.lock").hint,
        "message": "mirror m: locking /x/.lock: another writer holds it",
        "mirror": "m",
        "path": "/x/.lock",
    }
    assert public["error"] == {
        "error": "LockHeld",
        "fault": "operator",
        "hint": LockHeld("m", "x").public_hint,
        "message": "mirror m: locking it: another writer holds the lock",
    }
    assert private.keys() == public.keys()


def test_one_update_on_the_command_line_is_what_http_gives_and_a_list_is_of_its_mirrors() -> None:
    done = record(state="published", outcome=Outcome("published", "x"))
    assert cli._as_json("u1", [done]) == update_json("u1", [done], private=True)
    assert cli._as_json(None, [done]) == update_json("u1", [done], private=True)["mirrors"]
    assert update_json("u1", [done])["mirrors"][0]["outcome"]["state"] == "published"


# --- checks ---------------------------------------------------------------------------------


def fails(error: BaseException) -> Any:
    def look() -> str:
        raise error

    return look


def test_a_finding_is_the_fact_or_the_error() -> None:
    assert findings.look("store", lambda: "sqlite").good
    found = findings.look("store", fails(StoreUnavailable("opening", "locked")))
    assert (found.severity, found.said) == ("fail", "store: opening: locked")
    assert found.hint == StoreUnavailable.advice
    assert found.text == f"store: {found.said}. {found.hint}"


def test_a_defect_of_ours_is_not_taken_for_a_finding() -> None:
    with pytest.raises(ZeroDivisionError):
        findings.look("store", fails(ZeroDivisionError()))


MIRROR = settings.Mirror.model_validate(
    {
        "name": "m",
        "host": "10.0.0.2",
        "port": 2222,
        "identity_file": "/an id",
        "known_hosts": "/known",
        "url": "http://m/repo",
        "upstream": {"releasever": "9"},
    }
)


def test_a_mirror_that_cannot_be_reached_comes_with_a_command_to_try() -> None:
    with pytest.raises(MirrorUnreachable) as caught:
        ssh.Connection(MIRROR)._lost("looking", OSError("gone"))
    lost = caught.value
    assert "`ssh -i '/an id' -p 2222 mirror@10.0.0.2 true`" in lost.hint
    refused = opening.End.of(MIRROR).refused("another")
    assert "`ssh-keyscan -t ed25519 -p 2222 10.0.0.2`" in refused.hint
    assert "put it into /known" in refused.hint
    for error in (lost, refused):
        assert "10.0.0.2" not in error.public + error.public_hint


@pytest.mark.parametrize(
    ("elevation", "helper", "missing"),
    [
        ("none", None, False),
        ("userns", None, False),
        ("helper", None, True),
        ("helper", "/h", False),
    ],
)
def test_a_host_without_namespaces_needs_a_helper(
    elevation: Any, helper: str | None, missing: bool
) -> None:
    mirror: Any = SimpleNamespace(name="m", helper=helper)
    tools = Tools("dnf4", "/usr/bin/dnf", "/usr/bin/createrepo_c", elevation)
    found: Any = SimpleNamespace(tools=tools)
    with pytest.raises(ToolsMissing) if missing else nullcontext():
        assert usable(mirror, found) is tools
