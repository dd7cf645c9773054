"""`packages.json`: text in, a value or all its problems out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gm_analytics import manifest
from gm_analytics.errors import GmError, ManifestError, Problem
from gm_analytics.manifest import ACCEPTED, Manifest

TOP = Path(__file__).parents[2]
HOSTILE = json.loads(
    (Path(__file__).parents[1] / "hostile_specs.json").read_text(encoding="utf-8")
)
hostile = pytest.mark.parametrize("text", [pytest.param(h["text"], id=h["name"]) for h in HOSTILE])


def parse(data: Any) -> Manifest:
    return Manifest.parse(json.dumps(data).encode())


def entry(commands: Any, name: Any = "tools") -> dict[str, Any]:
    return {"package_name": name, "installation_commands": commands}


def problems(text: bytes) -> list[Problem]:
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(text)
    return caught.value.problems


# --- what is accepted ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        ["tree", "nmap"],
        [entry("tree", "tree"), entry("nmap", "nmap")],
        {"packages": ["tree", "nmap"]},
        {"packages": [entry("tree", "tree"), "nmap"]},
        [entry(["tree", "nmap"])],
        [entry("tree;nmap")],
        ["nmap", "tree", "nmap"],
    ],
)
def test_the_shapes_of_the_file_mean_the_same(data: Any) -> None:
    assert set(parse(data).specs) == {"tree", "nmap"}
    assert parse(data).digest == parse(["tree", "nmap"]).digest


def test_another_set_of_specs_has_another_digest() -> None:
    digests = {parse(data).digest for data in ([], ["tree"], ["tree", "nmap"], ["treenmap"])}
    assert len(digests) == 4


def test_the_sample_at_the_top_level_is_tree_and_nmap() -> None:
    assert Manifest.parse((TOP / "packages.json").read_bytes()).specs == ("tree", "nmap")


@pytest.mark.parametrize(
    ("commands", "specs"),
    [
        ("sudo yum install -y tree", ("tree",)),
        ("sudo yum install tree -y", ("tree",)),
        ("yum -y install tree nmap; dnf install -y jq", ("tree", "nmap", "jq")),
        ("yum install tree", ("tree",)),
        ("dnf --assumeyes install tree", ("tree",)),
        ("sudo\tyum\tinstall\t-y\ttree", ("tree",)),
        ("  tree  ;;  nmap ; ", ("tree", "nmap")),
        ("tree\tnmap", ("tree", "nmap")),
        (["sudo yum install -y tree", "nmap jq"], ("tree", "nmap", "jq")),
        ("yum install install", ("install",)),
        ("install", ("install",)),
        ("yum", ("yum",)),
    ],
)
def test_a_leading_install_command_is_understood_and_dropped(
    commands: Any, specs: tuple[str, ...]
) -> None:
    assert parse([entry(commands)]).specs == specs


@pytest.mark.parametrize(
    "spec",
    [
        "tree",
        "nmap-7.92",
        "nmap-7.92-1.el9",
        "nmap-2:7.92-1.el9.x86_64",
        "2:nmap",
        "2:nmap-7.92-1.el9.x86_64",
        "glibc.i686",
        "gcc-c++",
        "libstdc++-devel",
        "kernel-5.14.0~rc1-1",
        "foo-1.0^git1234-1",
        "python3.11",
        "_private",
        "7zip",
        "A",
        "xorg-x11-server-Xorg",
        "a" * 200,
        "/usr/bin/tree",
        "/usr/lib64/libz.so.1",
        "/usr/bin/g++",
        "/etc/redhat-release",
        "@development",
        "@x-window-system",
        "@c_dev.el9",
    ],
)
def test_package_specs_as_yum_documents_them_are_kept_as_they_are(spec: str) -> None:
    assert parse([spec]).specs == (spec,)
    assert parse([entry(f"sudo yum install -y {spec}")]).specs == (spec,)


def test_each_spec_is_named_once_in_the_order_of_the_file() -> None:
    assert parse(["nmap", "tree", "nmap jq", "tree"]).specs == ("nmap", "tree", "jq")


def test_an_entry_knows_its_name_and_its_place() -> None:
    found = parse({"packages": ["tree", entry("nmap", "scanner")]}).entries
    assert [(e.name, e.specs, e.where) for e in found] == [
        ("tree", ("tree",), "/packages/0"),
        ("scanner", ("nmap",), "/packages/1"),
    ]


def test_an_empty_manifest_names_no_packages() -> None:
    assert parse([]).specs == parse({"packages": []}).specs == ()


def test_a_byte_order_mark_is_skipped() -> None:
    assert Manifest.parse(b'\xef\xbb\xbf["tree"]').specs == ("tree",)


# --- what is refused ----------------------------------------------------------------------


@hostile
def test_hostile_text_is_refused_wherever_it_stands(text: str) -> None:
    for data in ([text], [entry(text)], {"packages": [entry(["tree", text])]}):
        with pytest.raises(ManifestError):
            parse(data)


@hostile
def test_hostile_text_is_shown_as_one_short_printable_line(text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse([text])
    for problem in caught.value.problems:
        assert str(problem).isascii()
        assert str(problem).isprintable()
        assert len(str(problem)) < 400


@pytest.mark.parametrize("name", ["a" * 1_000_000, "/usr/" + "a/" * 499_000, "-" * 1_000_000])
def test_a_name_of_a_megabyte_is_refused_with_its_length(name: str) -> None:
    found = problems(json.dumps([name]).encode())
    assert f"{len(name):,} characters long" in str(found[0])
    assert len(str(found[0])) < 400


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("--setopt=x", "an option"),
        ("http://x/y", "a URL"),
        ("tr\u0435e", "a character that is not printable ASCII"),
        ("tree*", "a glob"),
        ("/tmp/x", "a path outside /usr and /etc"),
        ("../x", "a path outside /usr and /etc"),
        ("@nodejs:", "a module without a stream"),
        ("tree|sh", "a pipe"),
        ("tree%s", "a shell character"),
        ("x:tree", "no package spec"),
        ("a" * 201, "201 characters long"),
    ],
)
def test_the_problem_says_why_and_what_is_accepted(spec: str, why: str) -> None:
    (problem,) = problems(json.dumps([spec]).encode())
    assert why in problem.found
    assert problem.expected == ACCEPTED


def test_all_problems_are_reported_at_once_each_with_its_place() -> None:
    data = {
        "packages": [
            "tree*",
            entry("jq; -y"),
            entry(["tree", "../x"]),
            {"package_name": "x"},
            entry(7),
            entry("jq", 5),
            {**entry("jq"), "version": "1"},
            12,
            entry([]),
            entry(""),
            "a\nb",
        ]
    }
    found = problems(json.dumps(data).encode())
    assert [(p.where, p.found) for p in found] == [
        ("/packages/0", '"tree*", a glob'),
        ("/packages/1/installation_commands", '"-y", an option'),
        ("/packages/2/installation_commands/1", '"../x", a path outside /usr and /etc'),
        ("/packages/3/installation_commands", "nothing"),
        ("/packages/4/installation_commands", "7"),
        ("/packages/5/package_name", "5"),
        ("/packages/6/version", '"1"'),
        ("/packages/7", "12"),
        ("/packages/8/installation_commands", "an empty list"),
        ("/packages/9/installation_commands", '""'),
        ("/packages/10", '"a\\nb"'),
    ]
    assert all(p.expected for p in found)


def test_the_text_of_the_error_names_each_place_what_was_found_and_expected() -> None:
    with pytest.raises(ManifestError) as caught:
        parse([entry(7), 12])
    assert str(caught.value) == (
        "packages.json: /0/installation_commands, entry 1 (`tools`): found 7; expected a string "
        "or an array of strings; /1, entry 2: found 12; expected a string, or an object with "
        "package_name and installation_commands"
    )


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        (b"", "line 1, column 1", "no JSON (the file is empty)"),
        (
            b'["tree",\n  nmap]',
            "line 2, column 3",
            "no JSON (a value is missing, or not in double",
        ),
        (b'["tree"] x', "line 1, column 10", "no JSON (something follows the end)"),
        (b"\xff\xfe[\x00]\x00", "file", "UTF-16 text"),
        (b"[\0]\0", "file", "UTF-16 text"),
        ("[]".encode("utf-32"), "file", "UTF-32 text"),
        (b"[NaN]", "file", "no JSON (NaN is none of its numbers)"),
        (b'["tr\xe9e"]', "file", "no JSON (byte 5 is no UTF-8)"),
        (b"[" * 100_000, "file", "no JSON (too many brackets within"),
        (b"[" * 100_000 + b"]" * 100_000, "file", "no JSON (too many brackets within"),
        (b'{"packages":' * 50_000, "file", "no JSON (too many brackets within"),
        (b"[" + b"1" * 5000 + b"]", "file", "no JSON (a number of too many digits)"),
        (b"7", "/", "7"),
        (b"null", "/", "null"),
        (b'"tree"', "/", '"tree"'),
        (b"{}", "/", "an object with []"),
        (b'{"packages": {}}', "/packages", "{}"),
        (b'{"$schema": 5, "packages": []}', "/$schema", "5"),
        (b'{"Packages": []}', "/", 'an object with ["Packages"]; "Packages" is not packages'),
        (b'{"name": "x"}', "/", 'an object with ["name"]: one entry, without the brackets'),
        (b'{"packages": [], "x": 1}', "/", 'an object with ["packages", "x"]'),
    ],
)
def test_a_file_of_another_format_is_told_where_and_what(
    text: bytes, where: str, found: str
) -> None:
    (problem,) = problems(text)
    assert problem.where == where
    assert problem.found.startswith(found)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            {"package_name": "x"},
            "/installation_commands, entry 3 (`x`): found nothing; expected the",
        ),
        (entry("tree", 5), "/package_name, entry 3: found 5; expected a string"),
        (entry("tree", ""), '/package_name, entry 3: found ""; expected a name'),
        (entry("tree", "a" * 201), f"/package_name, entry 3 (`{'a' * 37}...`): found"),
        (entry("a?", "a\nb`\x1b"), r"/installation_commands, entry 3 (`a\nb`\u001b`): found"),
        (entry("a b?", "tools"), '/installation_commands, entry 3 (`tools`): found "b?", a glob'),
        (
            {"package_name": "x", "instalation_commands": "tree"},
            '/instalation_commands, entry 3 (`x`): found "tree"; expected package_name and in',
        ),
        (
            {**entry("tree"), "a/b\n\x1b~": 1},
            r"/a~1b\n\u001b~0, entry 3 (`tools`): found 1; expected",
        ),
        ({**entry("tree"), "k" * 5000: 1}, f"/{'k' * 55}..., entry 3 (`tools`): found 1"),
    ],
)
@pytest.mark.parametrize("at", ["", "/packages"])
def test_an_entry_s_number_and_name_stand_beside_its_pointer(
    item: Any, said: str, at: str
) -> None:
    items = ["tree", "nmap", item]
    text = json.dumps({"packages": items} if at else items).encode()
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(text, "mine/el9.json")
    told = [one for one in caught.value.told if one.startswith(f"{at}/2{said}")]
    assert told, caught.value.told
    assert not re.search("Input|String should|Field required", str(caught.value))
    assert str(caught.value).startswith("mine/el9.json: ")


def test_a_terminal_is_told_of_each_problem_on_a_line_under_the_file_s_name() -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(b'["a?", "tree", "-y"]', "mine.json")
    assert caught.value.lines.splitlines() == [
        "mine.json: 2 problems",
        f'  /0, entry 1: found "a?", a glob; expected {ACCEPTED}',
        f'  /2, entry 3: found "-y", an option; expected {ACCEPTED}',
    ]
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(b'["a?"]', "mine.json")
    assert caught.value.lines == f'mine.json: /0, entry 1: found "a?", a glob; expected {ACCEPTED}'


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ('["tree",]', "line 1, column 8", "a comma behind the last one"),
        ('[{"package_name": "x",\n}]', "line 1, column 22", "a comma behind the last one"),
        ('["tree" "nmap"]', "line 1, column 9", "a comma or a bracket is missing"),
        ('["tree"', "line 1, column 8", "a comma or a bracket is missing"),
        ('["tree', "line 1, column 2", "a quote that is not closed"),
        ('["tr\nee"]', "line 1, column 5", "a line end or a tab within quotes"),
        (r'["tr\ee"]', "line 1, column 5", "a backslash that means nothing"),
        ('[{"a" "b"}]', "line 1, column 7", "a colon is missing"),
        ("[{a: 1}]", "line 1, column 3", "a name in double quotes is missing"),
        ('["tree", // x\n"nmap"]', "line 1, column 10", "a comment, which JSON does not have"),
        ('# x\n["tree"]', "line 1, column 1", "a comment, which JSON does not have"),
        ('["tree" /* x */]', "line 1, column 9", "a comment, which JSON does not have"),
        ("['tree']", "line 1, column 2", "single quotes: JSON has double ones"),
        ("[\u201ctree\u201d]", "line 1, column 2", "quotes of a word processor"),
        ("[None]", "line 1, column 2", "a word of Python"),
        ("- tree\n", "line 1, column 1", "YAML"),
        ("<!DOCTYPE html>", "line 1, column 1", "HTML or XML"),
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "line 1, column 1",
            "a pointer of Git LFS, and not the file",
        ),
        ("[\n<<<<<<< HEAD\n]", "line 2, column 1", "a merge conflict that is not resolved"),
    ],
)
def test_what_is_no_json_is_told_as_an_author_would_say_it(
    text: str, where: str, why: str
) -> None:
    (problem,) = problems(text.encode())
    assert (problem.where, problem.found) == (where, f"no JSON ({why})")


def test_a_stored_error_of_a_time_without_names_is_read() -> None:
    stored = {
        "error": "ManifestError",
        "problems": [{"where": "/0", "found": "7", "expected": "x"}],
    }
    assert str(GmError.from_json(stored)) == "packages.json: /0, entry 1: found 7; expected x"


def test_lists_that_are_nested_deeply_but_readably_are_no_entries() -> None:
    (problem,) = problems(b"[" * 800 + b"]" * 800)
    assert problem.where == "/0"


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-1e999", b"true", b"null", b"{}"])
def test_other_json_values_are_no_entries(value: bytes) -> None:
    assert problems(b"[" + value + b"]")


# --- limits -------------------------------------------------------------------------------


def test_a_file_may_have_as_many_bytes_as_the_limit_and_no_more() -> None:
    padded = b'["tree"]'.ljust(manifest.MAX_BYTES)
    assert Manifest.parse(padded).specs == ("tree",)
    (problem,) = problems(padded + b" ")
    assert (problem.found, problem.expected) == ("1,048,577 bytes", "at most 1,048,576")


def test_a_file_may_have_as_many_entries_as_the_limit_and_no_more() -> None:
    names = [f"p{number}" for number in range(manifest.MAX_ENTRIES + 1)]
    assert len(parse(names[:-1]).specs) == manifest.MAX_ENTRIES
    (problem,) = problems(json.dumps({"packages": names}).encode())
    assert (problem.where, problem.found) == ("/packages", "1001 entries")


def test_a_file_may_have_as_many_specs_as_the_limit_and_no_more() -> None:
    names = [f"p{number}" for number in range(manifest.MAX_SPECS + 1)]
    assert len(parse([" ".join(names[:-1])]).specs) == manifest.MAX_SPECS
    (problem,) = problems(json.dumps([" ".join(names)]).encode())
    assert (problem.found, problem.expected) == ("2001 package specs", "at most 2000")


def test_a_megabyte_of_mistakes_gives_a_short_report() -> None:
    found = problems(json.dumps(["$ " * 500_000]).encode())
    assert len(found) == manifest.MAX_PROBLEMS + 1
    assert found[-1].found == "more than 100 problems"


def test_a_hundred_problems_are_all_reported() -> None:
    found = problems(json.dumps(["$"] * manifest.MAX_PROBLEMS).encode())
    assert [p.where for p in found] == [f"/{n}" for n in range(manifest.MAX_PROBLEMS)]


# --- schema -------------------------------------------------------------------------------


def test_the_published_schema_is_current() -> None:
    """`python -m gm_analytics.manifest > swagger/packages.schema.json` makes it so."""
    published = (TOP / "swagger" / "packages.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(manifest.schema(), indent=2) + "\n"


@pytest.mark.parametrize(
    "data",
    [
        json.loads((TOP / "packages.json").read_text(encoding="utf-8")),
        ["tree"],
        [],
        {"packages": ["tree", entry(["jq"])]},
    ],
)
def test_manifests_that_parse_are_valid_by_the_schema(data: Any) -> None:
    jsonschema.validate(data, manifest.schema())
    parse(data)


@pytest.mark.parametrize(
    "data", [7, {}, [7], [{"package_name": "x"}], [entry(7)], [entry("x", "")], {"x": []}]
)
def test_what_the_schema_refuses_does_not_parse(data: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, manifest.schema())
    with pytest.raises(ManifestError):
        parse(data)


def test_a_spec_s_place_is_that_of_the_first_entry_that_wants_it() -> None:
    text = b'["tree", {"package_name": "x", "installation_commands": "nmap; tree"}, "nmap"]'
    found = Manifest.parse(text)
    assert found.places(["tree", "nmap", "jq"]) == {"tree": "/0", "nmap": "/1"}


# --- keys, labels, other shapes -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "key"),
    [
        ('{"packages": ["tree"], "packages": ["nmap"]}', "/", "packages"),
        ('[{"package_name": "a", "installation_commands": "tree", "package_name": "b"}]',
         "/0", "package_name"),
        ('["jq", {"installation_commands": "tree", "installation_commands": "nmap"}]',
         "/1", "installation_commands"),
        ('{"packages": [], "$schema": "x", "$schema": "y"}', "/", "$schema"),
        ('{"x": 1, "x": 2}', "/", "x"),
    ],
)  # fmt: skip
def test_a_key_that_is_there_twice_is_refused_with_its_place(
    text: str, where: str, key: str
) -> None:
    """Python's parser takes the last one, and packages are gone."""
    found = problems(text.encode())[0]
    assert (found.where, found.found) == (where, f'the key "{key}" twice')


def test_editors_may_be_told_of_the_schema() -> None:
    text = {"$schema": "https://x.example/packages.schema.json", "packages": ["tree"]}
    assert parse(text).specs == ("tree",)
    jsonschema.validate(text, manifest.schema())


@pytest.mark.parametrize("spec", [
    "perl(JSON::XS)", "pkgconfig(openssl)", "libssl.so.3()(64bit)", "libc.so.6(GLIBC_2.4)(64bit)",
    "font(:lang=en)", "npm(@babel/core)", "mimehandler(text/html)", "dnf-command(config-manager)",
])  # fmt: skip
def test_capabilities_are_package_specs(spec: str) -> None:
    assert parse([spec]).specs == (spec,)
    assert parse([entry(f"tree {spec}; nmap")]).specs == ("tree", spec, "nmap")


@pytest.mark.parametrize("spec", ["perl(a b)", "(perl)", "perl(a", "perl)a(", "a(b,c)", "a(b)c",
                                  "a(*)", "a($x)", "a('b')"])  # fmt: skip
def test_what_is_like_a_capability_is_refused(spec: str) -> None:
    assert problems(json.dumps([spec]).encode())


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\tb", "a\nb", "\ud800", "a\u2028b", "a\u202eb"])
def test_a_label_that_a_terminal_would_obey_is_refused(name: str) -> None:
    (problem,) = problems(json.dumps([entry("tree", name)]).encode())
    assert problem.where == "/0/package_name"
    assert problem.found.isascii()


@pytest.mark.parametrize("name", ["herramientas de compilación", "開発", "a 🌳", "x" * 200])
def test_a_label_is_any_line_of_text(name: str) -> None:
    assert parse([entry("tree", name)]).entries[0].name == name


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"package": "x", "commands": "tree"},
         ["package_name and installation_commands only; did you mean package_name?",
          "package_name and installation_commands only; did you mean installation_commands?"]),
        ({"name": "nmap", "version": "7.92"},
         ["the field", "package_name and installation_commands only; did you mean package_name?",
          "package_name and installation_commands only, as in nmap-7.92.x86_64"]),
        ({"package_name": "x", "install": "tree"},
         ["package_name and installation_commands only; did you mean installation_commands?"]),
        ({"package-name": "x", "installation_commands": "tree"},
         ["package_name and installation_commands only; did you mean package_name?"]),
    ],
)  # fmt: skip
def test_of_another_shape_it_is_said_which_field_is_meant(item: Any, told: list[str]) -> None:
    found = problems(json.dumps([item]).encode())
    assert sorted(one.expected for one in found) == sorted(told)
