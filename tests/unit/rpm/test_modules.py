"""What of upstream's modules.yaml a mirror repeats, as upstream wrote it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm_analytics.errors import Malformed
from gm_analytics.rpm import modulemd, modules
from gm_analytics.rpm.modules import Modules
from gm_analytics.rpm.package import Row
from gm_analytics.rpm.streams import Asked, artifact, conflicts, looks_modular, platform_of
from lab.modules import ModuleDefaults, ModuleObsoletes, ModuleStream, modules_yaml
from lab.packages import ARCH, Package

OLD = ModuleStream.of("nodejs", "18", Package("nodejs", "18.1"), Package("npm", "9"))
NEW = ModuleStream.of("nodejs", "20", Package("nodejs", "20.1"), Package("npm", "10"))
NEWER = ModuleStream.of("nodejs", "20", Package("nodejs", "20.2"), version=2)
DEFAULTS = ModuleDefaults("nodejs", "18", {"18": ("common",), "20": ("common", "more")})
ENDED = ModuleObsoletes("nodejs", "18", "20")
OTHER = ModuleStream.of("perl", "5.30", Package("perl", "5.30"))
UPSTREAM = (OLD, NEW, NEWER, DEFAULTS, ENDED, OTHER, ModuleDefaults("perl", "5.30"))


def found(*documents: object) -> Modules:
    return Modules([modules_yaml(documents).encode()])  # type: ignore[arg-type]


def names(text: str) -> list[str]:
    """Give what the documents of a text are of, in their order."""
    kinds = [modulemd.read(one) for one in modulemd.split(text.encode())]
    return [
        f"{type(one).__name__} {one.module}:{getattr(one, 'stream', '')}" for one in kinds if one
    ]


def test_the_streams_of_packages_are_carried_with_what_is_said_of_them() -> None:
    known = found(*UPSTREAM)
    carried = known.carried(["nodejs-0:18.1-1.module+el9+18." + ARCH, f"tree-0:2-1.{ARCH}"])
    assert names(carried) == ["Stream nodejs:18", "Defaults nodejs:", "Obsoletes nodejs:18"]
    both = known.carried([f"npm-0:9-1.module+el9+18.{ARCH}", f"npm-0:10-1.module+el9+20.{ARCH}"])
    assert names(both)[:2] == ["Stream nodejs:18", "Stream nodejs:20"]
    assert not known.carried([f"tree-0:2-1.{ARCH}"])


def test_an_artifact_may_lack_its_epoch() -> None:
    """As dnf has it, that is one of 0."""
    text = modules_yaml([OLD]).replace("- npm-0:", "- npm-")
    assert names(Modules([text.encode()]).carried([f"npm-0:9-1.module+el9+18.{ARCH}"]))
    assert not Modules([text.encode()]).carried([f"npm-1:9-1.module+el9+18.{ARCH}"])


def test_a_document_is_carried_as_upstream_wrote_it() -> None:
    """Whatever a YAML library would make of it: comments, quotes, the artifacts of others."""
    text = (
        "---   # ours\r\ndocument: modulemd\nversion: 2\ndata:\n  name: 'a'\n  stream: 1.10\n"
        '  artifacts: {rpms: ["a-0:1-1.x86_64", "b-0:1-1.src"]}  # all\n...\n'
    )
    other = text.replace("'a'", "c").replace('"a-', '"c-')
    known = Modules([(text + other).encode()])
    assert known.carried(["a-0:1-1.x86_64"]) == text
    assert known.holding(["a-0:1-1.x86_64"])[0].stream == "1.10"


def test_streams_that_a_stream_needs_come_along() -> None:
    """Without them no client could enable it, though none of their packages is there."""
    app = ModuleStream.of("app", "1", Package("app"))
    needs = ModuleStream(app.module, app.stream, app.packages, requires={"perl": ("5.30",)})
    carried = found(needs, *UPSTREAM).carried([artifact(Row("app", ARCH, *row(app)))])
    assert names(carried) == [
        "Stream app:1", "Stream perl:5.30", "Defaults perl:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("allowed", "streams"),
    [
        ((), {"18", "20"}),
        (("20",), {"20"}),
        (("-20",), {"18"}),
        (("-18", "-20"), set()),
        (("30",), set()),
    ],
)
def test_any_stream_will_do_or_some_or_all_but_some(
    allowed: tuple[str, ...], streams: set[str]
) -> None:
    app = ModuleStream.of("app", "1", Package("app"))
    needs = ModuleStream(app.module, app.stream, app.packages, requires={"nodejs": allowed})
    carried = found(needs, *UPSTREAM).carried([f"app-0:1.0-1.module+el9+1.{ARCH}"])
    there = set(re.findall("Stream nodejs:(.*)", "\n".join(names(carried))))
    assert there == streams
    if "20" in streams:
        assert "version: 2\n  context" in carried, "the newest build"


def row(stream: ModuleStream) -> tuple[str, str, int]:
    one = stream.packages[0]
    return f"{one.version}-{one.release}", "upstream", 1


def test_of_two_repositories_the_document_with_more_of_the_packages_counts() -> None:
    part = ModuleStream(NEW.module, NEW.stream, NEW.packages[:1])
    files = [modules_yaml([one]).encode() for one in (part, NEW)]
    artifacts = [f"nodejs-0:20.1-1.module+el9+20.{ARCH}", f"npm-0:10-1.module+el9+20.{ARCH}"]
    assert Modules(files).carried(artifacts).count("- npm-0") == 1
    assert not Modules(files).lacking(artifacts)
    assert Modules(files[:1]).lacking(artifacts) == (artifacts[1],)


def test_what_was_published_counts_where_upstream_has_nothing_now() -> None:
    """It withdrew a build that a mirror keeps, or has other defaults by now."""
    now = modules_yaml([NEW, ModuleDefaults("nodejs", "20")]).encode()
    before = modules_yaml([OLD, NEW, DEFAULTS, ENDED, OTHER]).encode()
    artifacts = [artifact(Row(s.packages[0].name, ARCH, *row(s))) for s in (OLD, NEW, OTHER)]
    carried = Modules([now], [before]).carried(artifacts)
    assert names(carried) == [
        "Stream nodejs:18", "Stream nodejs:20", "Stream perl:5.30", "Defaults nodejs:",
    ]  # fmt: skip
    assert carried.count("stream: 20\n  profiles:\n...") == 1


def test_members_are_those_of_the_profile_or_of_the_default_ones() -> None:
    more = ModuleStream(
        "nodejs", "20", NEW.packages, {"common": ("nodejs",), "more": ("npm",), "dev": ("x",)}
    )
    known, there = found(OLD, more, DEFAULTS), [f"npm-0:10-1.module+el9+20.{ARCH}"]
    assert known.members("@nodejs:20", there) == {"nodejs", "npm"}
    assert known.members("@nodejs", there) == {"nodejs", "npm"}
    assert known.members("@nodejs:20/dev", there) == {"x"}
    assert not known.members("@nodejs:18", there)
    assert not known.members("@tools", there)


def test_other_streams_and_profiles_are_near() -> None:
    known = found(*UPSTREAM)
    assert known.near("@nodejs:99") == ("@nodejs:18", "@nodejs:20")
    assert known.near("@nodejs:18/x") == ("@nodejs:18/common",)
    assert known.near("@nodejs") == ("@nodejs:18", "@nodejs:20")
    assert known.near("@perl") == ("@perl:5.30/common",)
    for spec in ("nodejs", "nodejs-20.1", "nodejs-20.1-1.module+el9+20"):
        assert known.near(spec) == ("@nodejs:18", "@nodejs:20")
    assert not known.near("node")
    assert not known.near("@ruby:3")


def test_specs_of_modules() -> None:
    assert Asked.of("@nodejs:20/development") == Asked("nodejs", "20", "development")
    assert Asked.of("@nodejs") == Asked("nodejs")
    assert not Asked("nodejs").is_of_a_module
    assert Asked.of("tree") is None
    assert list(conflicts(["@a:1", "@b:1", "@a", "@a:1/x", "@a:2"])) == [("@a:1", "@a:2")]


@pytest.mark.parametrize(
    ("releasever", "platform"),
    [
        ("9", "platform:el9"),
        ("8.10", "platform:el8"),
        ("10", "platform:el10"),
        ("43", "platform:f43"),
        ("2023.6.20250101", "platform:al2023"),
        ("7", ""),
        ("rawhide", ""),
        ("24.04", ""),
    ],
)
def test_a_release_has_a_platform(releasever: str, platform: str) -> None:
    assert platform_of(releasever) == platform


def test_versions_that_only_builds_of_modules_have() -> None:
    for evr, modular in (
        ("1-1.module+el8.3.0+1+a", True), ("1:1-1.module_el8+2", True), ("1-1.el9", False),
    ):  # fmt: skip
        assert looks_modular(Row("a", "noarch", evr, "r", 1)) == modular


# --- what a hostile upstream writes ---------------------------------------------------------

STREAM = (
    "---\ndocument: modulemd\nversion: 2\ndata:\n  name: a\n  stream: s\n"
    "  artifacts:\n    rpms: [a-0:1-1.x]\n"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(STREAM.replace("name: a", "name: &a a\n  x: *a"), id="an alias"),
        pytest.param(STREAM + "  x: " + "[" * 50 + "]" * 50, id="too deep"),
        pytest.param(STREAM + "  x: " + "[" * 200_000, id="far too deep"),
        pytest.param(STREAM.replace("name: a", "name: ../a"), id="a name that is a path"),
        pytest.param(STREAM.replace("stream: s", "stream: -s"), id="a stream that is an option"),
        pytest.param(STREAM + "  version: 1e3\n", id="a version that is no number"),
        pytest.param(STREAM + "  ? [a]\n  : b\n", id="a key that is a list"),
        pytest.param(STREAM + "  x: 'a\u2028---\u2028b: c\n", id="a document within a line"),
        pytest.param(STREAM.replace("rpms: [", "rpms: [{a: b}, "), id="an artifact that is none"),
        pytest.param("---\n- a-0:1-1.x\n", id="a list"),
        pytest.param("--- a-0:1-1.x\n", id="a text"),
        pytest.param("---\ndocument: other\ndata: a-0:1-1.x\n", id="another kind"),
        pytest.param("%YAML 1.1\n" + STREAM.replace("name: a", "name: ["), id="no YAML"),
    ],
)
def test_what_cannot_be_read_is_no_document(text: str) -> None:
    known = Modules([text.encode(), STREAM.replace("a-0:1", "b-0:1").encode()])
    assert known.lacking(["a-0:1-1.x", "b-0:1-1.x"]) == ("a-0:1-1.x",)
    assert "a-0:1" not in known.carried(["a-0:1-1.x"])


WORDS = ("---\n", "...\n", "document: modulemd\n", "data:\n", "  name: a\n", "  stream: s\n")
WORDS += (
    "  artifacts:\n",
    "    rpms:\n",
    "    - a-0:1-1.x\n",
    "  profiles: {p: {rpms: x}}\n",
    "[",
    "&a ",
)
WORDS += (
    "  dependencies: {requires: {b: [c]}}\n",
    "*a",
    "'",
    '"',
    "\x85",
    "\u2028",
    "\t",
    "? ",
    "!!x ",
    "\r",
)


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_is_read_or_passed_over(text: str) -> None:
    """And what is carried of it is read again as what it was."""
    try:
        known = Modules([text.encode("utf-8", "surrogatepass")])
    except Malformed:
        return
    carried = known.carried(["a-0:1-1.x"])
    assert bool(carried) == bool(known.holding(["a-0:1-1.x"]))
    again = Modules([carried.encode()])
    assert {one.key for one in again.holding(["a-0:1-1.x"])} == {
        one.key for one in known.holding(["a-0:1-1.x"])
    }


def test_what_is_too_large_or_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MAX_BYTES", len(STREAM))
    monkeypatch.setattr(modules, "MAX_DOCUMENTS", 2)
    Modules([STREAM.encode(), b"---\na: b\n"])
    for files in ([STREAM.encode() + b"\n"], [b"---\n1\n---\n2\n---\n3\n"], [b"---\n\xff\n"]):
        with pytest.raises(Malformed):
            Modules(files)


def test_a_document_of_the_largest_size_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modulemd, "MAX_TEXT", len(STREAM) + len("...\n"))
    assert Modules([STREAM.encode()]).holding(["a-0:1-1.x"])
    assert not Modules([f"{STREAM} \n".encode()]).holding(["a-0:1-1.x"])
