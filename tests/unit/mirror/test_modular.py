"""Module streams on a mirror's host: what it cannot offer, and what dnf says of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gm_analytics.errors import ModulesNotPossible
from gm_analytics.mirror import complaints, modular, yum
from gm_analytics.mirror.complaints import unknown_specs
from gm_analytics.mirror.survey import Tools
from gm_analytics.rpm.package import Row

ROW = Row("nodejs", "x86_64", "1:20.1-1.module+el8.9.0+1+a", "appstream", 1)
PLAIN = Row("tree", "x86_64", "2.1-1.el8", "baseos", 1)


def host(manager: str) -> Any:
    tools = SimpleNamespace(manager=manager)
    return SimpleNamespace(name="m", tools=tools, target=SimpleNamespace(releasever="x"))


def test_yum_3_offers_no_module() -> None:
    """It reads no documents of modules, and would take the newest RPM of all streams."""
    for specs, rows in ((["@nodejs:20"], []), ([], [PLAIN, ROW])):
        with pytest.raises(ModulesNotPossible) as caught:
            modular.want_tools(host("yum3"), specs, rows)
        assert caught.value.packages == (specs or [ROW.nevra])
    modular.want_tools(host("yum3"), ["@nodejs", "tree"], [PLAIN])
    modular.want_tools(host("dnf4"), ["@nodejs:20"], [ROW])


def test_dnf_5_offers_default_streams_and_none_by_its_name() -> None:
    with pytest.raises(ModulesNotPossible, match="dnf 5"):
        modular.want_tools(host("dnf5"), ["tree", "@nodejs:20"])
    modular.want_tools(host("dnf5"), ["nodejs"], [ROW])


NONE = "No default profiles for module ruby:3.1. Available profiles: common, dev\n"
MANY = "Argument 'ruby' matches 2 streams ('3.0', '3.1') of module 'ruby', but none of the str\n"
BROKEN = "Default profile x not available in module ruby:3.1\n"


@pytest.mark.parametrize(
    ("output", "unknown"),
    [
        (NONE, ("@ruby:3.1", "@ruby")),
        (BROKEN, ("@ruby:3.1", "@ruby")),
        (MANY, ("@ruby",)),
        ("Module or Group 'ruby:9' is not available.\n", ("@ruby:9",)),
        ("Module or Group 'minimal' is not available.\n", ("@^minimal",)),
        ("Module or Group 'Big Tools' is not available.\n", ("@Big Tools",)),
    ],
)
def test_what_of_a_module_dnf_does_not_choose_by_itself(
    output: str, unknown: tuple[str, ...]
) -> None:
    specs = ("@ruby:3.1", "@ruby", "ruby", "@ruby:9", "@^minimal", "@Big Tools", "@ruby:3.1/dev")
    assert unknown_specs(output, specs) == unknown


@pytest.mark.parametrize(
    "said",
    [
        "Modular dependency problem:\n\n Problem: conflicting requests\n",
        "Cannot enable multiple streams for module 'nodejs'\nError: Unable to find a match\n",
        "All matches for argument 'a:1' in module 'a:1' are not active\n",
    ],
)
def test_streams_that_do_not_go_together_are_a_conflict(said: str) -> None:
    assert complaints.failure(1, said, ["@a:1"]) == "unsolvable"
    assert not complaints.lacks_platform(said)
    assert complaints.lacks_platform(f"Detection of Platform Module failed: x\n{said}") == (
        "not active" in said
    )


def test_dnf_takes_environments_without_their_sign() -> None:
    specs = ("@^minimal", "@core", "a^b")
    known = {
        manager: yum.taken(Tools(manager, "/m", "/c"), specs)  # type: ignore[arg-type]
        for manager in ("yum3", "dnf4", "dnf5")
    }
    assert known["yum3"] == specs
    assert known["dnf4"] == known["dnf5"] == ("@minimal", "@core", "a^b")
