"""The configuration: read once, checked as a whole."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gm_analytics import settings
from gm_analytics.errors import ConfigError
from gm_analytics.settings import Settings

SECRET = "s3cret-" + "x" * 20
MIRROR: dict[str, Any] = {
    "name": "mirror.icesi.edu.co",
    "identity_file": "/etc/gm/id",
    "known_hosts": "/etc/gm/known_hosts",
    "url": "http://mirror.icesi.edu.co/repo",
    "upstream": {"releasever": "9"},
}
WHOLE: dict[str, Any] = {
    "webhook": {"secret": SECRET, "repositories": ["icesi/packages"]},
    "mirrors": [MIRROR],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Give a good configuration with the key at a dotted path replaced, or removed if `...`."""
    data = deepcopy(WHOLE)
    *parents, last = path.split(".")
    place: Any = data
    for name in parents:
        place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Write a configuration as a user does, and load it."""

    def load(data: Any) -> Settings:
        path = tmp_path / "gm_analytics.yaml"
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
        return settings.load(path)

    return load


@pytest.fixture
def problems(load: Any) -> Any:
    """Give the problems of a configuration, having seen that none of its texts has the secret."""

    def problems(data: Any) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(data)
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in repr(caught.value)
        assert "s3cret" not in str(caught.value.__cause__)  # shown in a traceback
        return caught.value.problems

    return problems


def test_a_short_configuration_has_these_defaults(load: Any) -> None:
    found = load(WHOLE)
    assert found.model_dump(mode="json") == {
        "intake": "webhook",
        "reconcile_seconds": 300.0,
        "webhook": {
            "repositories": ["icesi/packages"],
            "trusted_associations": None,
            "trusted_authors": None,
            "branch": None,
            "remember_days": 400,
        },
        "github": {
            "api_url": "https://api.github.com/",
            "raw_url": "https://raw.githubusercontent.com/",
            "app_id": None,
            "ca_file": None,
            "manifest": "packages.json",
            "timeout": 10.0,
        },
        "publish": "on_pull_request",
        "public_url": None,
        "operator_listen": {"host": "127.0.0.1", "port": 8081},
        "metrics_listen": {"host": "127.0.0.1", "port": 8082},
        "operators": {"local": "write", "tokens": [], "users": [], "proxy": None},
        "database_url": "sqlite:////var/lib/gm_analytics/updates.sqlite",
        "log_format": "console",
        "executor_id": None,
        "service_id": None,
        "retry_seconds": 2.0,
        "retry_attempts": 6,
        "waiting_hours": 24.0,
        "drain_seconds": 60.0,
        "keep_updates_days": 90,
        "look_seconds": 300.0,
        "mirrors": [
            {
                "name": "mirror.icesi.edu.co",
                "host": "",
                "port": 22,
                "user": "mirror",
                "identity_file": "/etc/gm/id",
                "known_hosts": "/etc/gm/known_hosts",
                "jump": None,
                "root": "/var/repo",
                "url": "http://mirror.icesi.edu.co/repo",
                "ca_file": None,
                "repositories": None,
                "manifest": None,
                "upstream": {
                    "reposdir": "/etc/yum.repos.d",
                    "releasever": "9",
                    "arch": None,
                    "module_platform_id": None,
                    "weak_dependencies": False,
                    "signatures": "upstream",
                    "max_age": 600,
                    "withdrawn": "follow",
                },
                "grace_minutes": 60,
                "retention": {"publications": 10, "days": 30, "preview_days": 30},
                "disk_reserve": 256 * 1024 * 1024,
                "command_timeout": 1800,
                "helper": None,
                "signing_home": None,
                "signing": "on",
                "filelists": False,
                "http": None,
            }
        ],
    }


def test_a_mirror_without_host_is_reached_by_its_name(load: Any) -> None:
    assert load(WHOLE).mirrors[0].address == "mirror.icesi.edu.co"
    assert load(changed("mirrors.0.host", "10.0.0.2")).mirrors[0].address == "10.0.0.2"


@pytest.mark.parametrize("url", ["http://m/repo", "http://m/repo/", "http://m/repo//"])
def test_the_address_of_a_repository_ends_in_one_slash(load: Any, url: str) -> None:
    assert load(changed("mirrors.0.url", url)).mirrors[0].base_url == "http://m/repo/"


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [..., "", None])
def test_without_a_secret_one_is_told_how_to_make_one(problems: Any, value: Any) -> None:
    (said,) = problems(changed("webhook.secret", value))
    assert said.startswith("webhook: no secret: make one with `openssl rand -hex 32`")
    assert "webhook.secret_file" in said


@pytest.mark.parametrize("value", [..., None])
def test_who_polls_needs_no_secret(load: Any, value: Any) -> None:
    found = load(changed("webhook.secret", value) | {"intake": "poll"})
    found.require(web=True, worker=True)
    with pytest.raises(ConfigError, match="webhook: no secret: make one"):
        _ = found.webhook.secret
    with pytest.raises(ConfigError):  # the one before is not remembered
        load(changed("webhook.secret", value))


def test_who_polls_looks_at_github_now_and_then(problems: Any) -> None:
    assert problems(WHOLE | {"intake": "poll", "reconcile_seconds": 0}) == [
        "reconcile_seconds: found 0; with intake: poll expected more"
    ]
    assert problems(WHOLE | {"reconcile_seconds": -1})
    assert problems(WHOLE | {"intake": "pull"})


def test_a_short_secret_is_refused(problems: Any) -> None:
    (said,) = problems(changed("webhook.secret", "s3cret-789-1234"))
    assert said == "webhook.secret: expected at least 16 characters"


def test_a_secret_is_read_from_its_file_without_the_line_s_end(load: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    webhook = {"secret_file": str(tmp_path / "secret"), "repositories": ["a/b"]}
    assert load({**WHOLE, "webhook": webhook}).webhook.secret == SECRET


def test_a_secret_and_its_file_are_one_too_many(problems: Any) -> None:
    assert problems(changed("webhook.secret_file", "/x")) == [
        "webhook: give secret or secret_file, not both"
    ]


@pytest.mark.parametrize("key", ["webhook.secret", "github.token"])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    problems: Any, key: str, tmp_path: Path
) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9" * 40)
    section, _, name = key.partition(".")
    for path, reason in [
        (str(tmp_path / "none"), "No such file or directory"),
        (str(tmp_path), "Is a directory"),
        (str(tmp_path / "latin"), "no UTF-8"),
    ]:
        data = changed(f"{key}_file", path)
        data[section].pop(name, None)
        assert problems(data) == [f"{section}.{name}_file: reading {path}: {reason}"]


@pytest.mark.parametrize(("key", "role"), [("webhook.secret", "web"), ("github.token", "worker")])
def test_a_file_of_the_other_account_is_an_error_where_it_is_used_alone(
    load: Any, key: str, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other"
    path.touch()
    read = Path.read_text

    def refused(self: Path, *args: Any, **options: Any) -> str:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read(self, *args, **options)

    monkeypatch.setattr(Path, "read_text", refused)
    section, _, name = key.partition(".")
    data = changed(f"{key}_file", str(path))
    data[section].pop(name, None)
    found = load(data)
    part = getattr(found, section)
    expected = rf"{key}_file: reading {path}: not allowed to account .*; run this as"
    with pytest.raises(ConfigError, match=expected):
        getattr(part, name)
    with pytest.raises(ConfigError, match=expected):
        found.require(**{role: True})
    found.require()
    assert found.github.has_token is (key == "github.token")


def test_the_address_of_the_database_may_be_in_a_file(
    load: Any, problems: Any, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("postgresql://gm:s3cret@db/gm\n", encoding="utf-8")
    data = changed("database_url_file", str(tmp_path / "url"))
    assert load(data).database_url == "postgresql://gm:s3cret@db/gm"
    (tmp_path / "url").write_text("mysql://gm:s3cret@db/gm\n", encoding="utf-8")
    assert problems(data)[0].startswith("database_url: ")


def test_a_secret_file_that_is_no_path_is_refused(problems: Any) -> None:
    data = changed("webhook.secret_file", 7)
    del data["webhook"]["secret"]
    assert problems(data) == ["webhook.secret_file: found 7; expected a path"]


def test_an_empty_secret_file_is_no_secret(problems: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    data = changed("webhook.secret_file", str(tmp_path / "secret"))
    del data["webhook"]["secret"]
    assert "openssl rand" in problems(data)[0]


@pytest.mark.parametrize("token", ["s3cret\nx", "s3cret x", "s3cret\u20ac", ""])
def test_a_token_that_cannot_be_a_header_is_refused(problems: Any, token: str) -> None:
    (said,) = problems(changed("github.token", token))
    assert said.startswith("github.token: ")


def test_no_secret_is_in_the_repr_of_the_settings(load: Any) -> None:
    data = changed("github.token", "s3cret-token")
    data["database_url"] = "postgresql://gm:s3cret@db/gm"
    found = load(data)
    for shown in (repr(found), str(found), repr(found.webhook), repr(found.github)):
        assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("webhook.secrte", SECRET, id="a misspelt key"),
        pytest.param("webhook", SECRET, id="a secret in the place of a section"),
        pytest.param("webhook", [{"secret": SECRET}], id="a list in the place of a section"),
        pytest.param("webhook.secret", [SECRET], id="a list in the place of a secret"),
        pytest.param("github", SECRET, id="a token in the place of a section"),
        pytest.param("github.tokens", SECRET, id="a misspelt token"),
        pytest.param("database_url", "mysql://gm:s3cret@db", id="a password of a database"),
    ],
)
def test_no_problem_repeats_a_secret(problems: Any, path: str, value: Any) -> None:
    assert problems(changed(path, value))


@pytest.mark.parametrize(
    "text",
    [
        "webhook: {secret: 's3cret\n",
        "secret: s3cret: x",
        "- secret: s3cret",
        "a: s3cret\n\x07",
        "s3cret",
        "",
    ],
)
def test_a_file_that_is_no_mapping_is_refused_without_an_excerpt(problems: Any, text: str) -> None:
    (said,) = problems(text)
    assert said.startswith(("not YAML: ", "file: "))


def test_a_yaml_error_names_line_and_column(problems: Any) -> None:
    assert problems("a: 1\nb: [")[0].startswith("not YAML: line 2, column 5: ")


# --- keys and values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["x", "webhook.x", "github.x", "mirrors.0.x", "mirrors.0.upstream.x"]
)
def test_an_unknown_key_is_named(problems: Any, path: str) -> None:
    (said,) = problems(changed(path, 1))
    assert said.startswith(f"{path}: unknown key; expected ")


@pytest.mark.parametrize(
    "path",
    [
        "webhook",
        "webhook.repositories",
        "mirrors",
        "mirrors.0.name",
        "mirrors.0.url",
        "mirrors.0.identity_file",
        "mirrors.0.known_hosts",
        "mirrors.0.upstream",
        "mirrors.0.upstream.releasever",
    ],
)
def test_a_missing_key_is_named(problems: Any, path: str) -> None:
    assert problems(changed(path, ...)) == [f"{path}: missing"]


@pytest.mark.parametrize("word", ["--x", "-x", "9 0", "", "9\n", "$(id)", "9;id", "a" * 101, "é"])
@pytest.mark.parametrize(
    "path",
    [
        "mirrors.0.upstream.releasever",
        "mirrors.0.upstream.arch",
        "mirrors.0.name",
        "mirrors.0.upstream.module_platform_id",
        "mirrors.0.user",
        "executor_id",
    ],
)
def test_a_word_of_a_command_line_can_be_no_option_and_no_two_words(
    problems: Any, path: str, word: str
) -> None:
    (said,) = problems(changed(path, word))
    assert said.startswith(f"{path}: found {word!r}; ")


@pytest.mark.parametrize(
    "path", ["mirrors.0.root", "mirrors.0.helper", "mirrors.0.upstream.reposdir"]
)
@pytest.mark.parametrize(
    "value", ["repo", "", "/", "/a b", "/a;b", "/a\n", "/a,b", "~/x", "/$x", 7]
)
def test_a_path_on_the_mirror_is_absolute_and_plain(problems: Any, path: str, value: Any) -> None:
    (said,) = problems(changed(path, value))
    assert said.startswith(f"{path}: found {value!r}; ")


@pytest.mark.parametrize(
    "path", ["mirrors.0.url", "github.api_url", "github.raw_url", "public_url"]
)
@pytest.mark.parametrize(
    "value", ["mirror", "ftp://m/repo", "file:///repo", "//m", "javascript:x"]
)
def test_an_address_is_one_of_http(problems: Any, path: str, value: str) -> None:
    (said,) = problems(changed(path, value))
    assert said.startswith(f"{path}: found {value!r}; ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("publish", "sometimes"),
        ("webhook.trusted_associations", ["FRIEND"]),
        ("webhook.trusted_authors", ["two words"]),
        ("retry_attempts", 0),
        ("retry_seconds", -1),
        ("waiting_hours", -1),
        ("drain_seconds", -1),
        ("mirrors.0.port", 0),
        ("mirrors.0.grace_minutes", 0),
        ("mirrors.0.command_timeout", "soon"),
        ("mirrors.0.disk_reserve", -1),
        ("mirrors.0.upstream.max_age", -1),
        ("mirrors.0.upstream.weak_dependencies", "perhaps"),
        ("mirrors.0.upstream.signatures", "sometimes"),
        ("github.timeout", 0),
        ("github.manifest", "../x"),
        ("github.manifest", "/etc/passwd"),
        ("mirrors.0.upstream.releasever", 9),
    ],
)
def test_another_value_is_named_with_its_key(problems: Any, path: str, value: Any) -> None:
    (said,) = problems(changed(path, value))
    assert said.startswith(path)
    wrong = value[0] if isinstance(value, list) else value
    assert f"found {wrong!r}; " in said


@pytest.mark.parametrize(
    "url", ["mysql://x", "sqlite://", "/var/x.sqlite", "postgres://x", "sqlite:///x.sqlite"]
)
def test_a_database_of_another_kind_is_refused(problems: Any, url: str) -> None:
    assert problems(changed("database_url", url))[0].startswith("database_url: ")


@pytest.mark.parametrize("names", [[], ["packages"], ["a/b/c"], ["a/b", "c"]])
def test_repositories_are_owner_and_name(problems: Any, names: list[str]) -> None:
    assert problems(changed("webhook.repositories", names))[0].startswith("webhook.repositories: ")


def test_two_mirrors_of_one_name_are_refused(problems: Any) -> None:
    (said,) = problems({**WHOLE, "mirrors": [MIRROR, {**MIRROR, "host": "b"}]})
    assert said == "mirrors: the same name twice: mirror.icesi.edu.co"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({}, id="the same"),
        pytest.param({"host": "MIRROR.icesi.edu.co"}, id="case"),
        pytest.param({"host": "mirror.icesi.edu.co."}, id="a trailing dot"),
        pytest.param({"root": "/var/repo/"}, id="a trailing slash"),
        pytest.param({"root": "//var//repo"}, id="repeated slashes"),
        pytest.param({"root": "/var/./x/../repo"}, id="dots"),
        pytest.param({"root": "/var/repo/el9"}, id="inside it"),
        pytest.param({"root": "/var"}, id="around it"),
        pytest.param({"user": "other"}, id="another account"),
    ],
)
def test_two_mirrors_of_one_repository_are_refused(problems: Any, other: dict[str, Any]) -> None:
    second = {**MIRROR, "name": "b", "host": "mirror.icesi.edu.co", **other}
    (said,) = problems({**WHOLE, "mirrors": [MIRROR, second]})
    assert "mirror.icesi.edu.co and b are one repository" in said


@pytest.mark.parametrize(
    "other", [{"host": "c"}, {"port": 2222}, {"root": "/var/repo9"}, {"root": "/var/rep"}]
)
def test_two_mirrors_of_one_host_have_roots_of_their_own(load: Any, other: dict[str, Any]) -> None:
    second = {**MIRROR, "name": "b", "host": "mirror.icesi.edu.co", **other}
    assert load({**WHOLE, "mirrors": [MIRROR, second]})


def test_an_address_is_one_however_it_is_written(problems: Any) -> None:
    hosts = ["fe80::1", "FE80:0:0:0:0:0:0:1"]
    mirrors = [
        {**MIRROR, "name": name, "host": host} for name, host in zip("ab", hosts, strict=True)
    ]
    assert "a and b are one repository" in problems({**WHOLE, "mirrors": mirrors})[0]


def test_there_is_at_least_one_mirror(problems: Any) -> None:
    assert problems(changed("mirrors", []))[0].startswith("mirrors: ")


def test_all_problems_are_told_at_once(problems: Any) -> None:
    data = changed("mirrors.0.upstream.releasever", "--x")
    data["webhook"]["repositories"] = []
    data["mirrors"][0]["url"] = "mirror"
    data["retry_attempts"] = 0
    data["colour"] = "blue"
    keys = sorted(said.partition(":")[0] for said in problems(data))
    assert keys == [
        "colour",
        "mirrors.0.upstream.releasever",
        "mirrors.0.url",
        "retry_attempts",
        "webhook.repositories",
    ]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("mirrors.0.upstream.relesever", "9", "unknown key; did you mean releasever?"),
        ("mirrors.0.releasever", "9", "unknown key; did you mean mirrors[].upstream.releasever?"),
        ("webhok", {}, "unknown key; did you mean webhook?"),
        ("webhook.secrets_file", "/x", "unknown key; did you mean secret_file?"),
        ("webhook.token_file", "/x", "unknown key; did you mean github.token_file or"),
        ("upstream", {}, "unknown key; did you mean mirrors[].upstream?"),
        ("mirrors.0.upstream.releasever", 9, "found 9; expected text: write it in quotes"),
        ("mirrors.0.upstream.arch", "--x", "found '--x'; expected a word of letters, digits and"),
        ("mirrors.0.root", "repo", "found 'repo'; expected an absolute path"),
        (
            "mirrors.0.url",
            "mirror",
            "found 'mirror'; expected an address that begins with http://",
        ),
        ("mirrors.0.url", None, "found nothing; expected an address that begins with http://"),
        ("mirrors", {}, "found keys with values; expected a list"),
        ("mirrors", [], "found an empty list; expected at least 1 in it"),
        ("webhook", None, "found nothing; expected keys with values"),
        ("webhook.secret", 1234567890123456, "found a number; expected text: write it in quotes"),
        ("github.token", "s3cret x", "expected printable characters without blanks"),
        ("github.manifest", "../x", "found '../x'; expected a path in the repository, such as"),
        (
            "publish",
            "on-merge",
            "found 'on-merge'; expected on_pull_request or on_merge; did you ",
        ),
        ("publish", True, "found true; expected on_pull_request or on_merge"),
        ("retry_attempts", 0, "found 0; expected more than 0"),
        ("retry_attempts", "many", "found 'many'; expected a whole number"),
        ("retry_attempts", 1.5, "found 1.5; expected a whole number"),
        ("retry_seconds", [1], "found a list; expected a number"),
        ("webhook.remember_days", 1, "found 1; expected at least 30"),
        ("drain_seconds", 3601, "found 3601; expected at most 3600"),
        ("waiting_hours", 1e9, "found 1000000000.0; expected at most 8760"),
        ("mirrors.0.upstream.weak_dependencies", "perhaps", "found 'perhaps'; expected true or"),
        ("mirrors.0.name", "a" * 200, f"found '{'a' * 119}…; expected at most 100 characters"),
    ],
)
def test_each_problem_is_a_line_in_words_of_our_own(
    problems: Any, path: str, value: Any, said: str
) -> None:
    (found,) = problems(changed(path, value))
    assert found.startswith(f"{path}: {said}")
    assert "\n" not in found
    assert not re.search("Input|String|Field|Value error|valid dict|NoneType|should", found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file: found nothing; expected keys with values"),
        ("- a", "file: found a list; expected keys with values"),
        ("a: 1\n\tb: 2", "not YAML: line 2, column 1: a tab; indent with blanks"),
        ("a: b: c", "not YAML: line 1, column 5: a second `:`"),
        ("a: 'b", "not YAML: line 1, column 6: a quote that is not closed"),
        ("a: [b", "not YAML: line 1, column 6: a bracket that is not closed"),
        ("a: *s3cret", "not YAML: line 1, column 4: an alias of nothing"),
        ("a: !s3cret b", "not YAML: line 1, column 4: a tag"),
        ("a: 1\nb: 2\na: 3", "not YAML: line 3, column 1: a key that was there before"),
        ("a: {b: 1, b: 2}", "not YAML: line 1, column 11: a key that was there before"),
        ("a: 2026-99-99", "not YAML: a date that no calendar has"),
        ("[" * 5000, "not YAML: nested too deep"),
    ],
)
def test_what_is_no_yaml_is_told_in_words_of_our_own(problems: Any, text: str, said: str) -> None:
    (found,) = problems(text)
    assert found.startswith(said)


def test_keys_that_another_block_is_given_again_are_no_repetition(load: Any) -> None:
    text = yaml.safe_dump(WHOLE | {"mirrors": []}).replace(
        "mirrors: []", "mirrors:\n- &one {s}\n- {{<<: *one, name: other, root: /var/other}}"
    )
    found = load(text.format(s=json.dumps(MIRROR)))
    assert [mirror.name for mirror in found.mirrors] == ["mirror.icesi.edu.co", "other"]


def test_an_error_names_the_file_and_shows_each_problem_on_a_line(load: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        load(changed("retry_attempts", 0))
    assert re.fullmatch(
        r"configuration /\S+/gm_analytics\.yaml: retry_attempts: found 0; expected more than 0",
        caught.value.lines,
    )
    with pytest.raises(ConfigError) as caught:
        load(changed("retry_attempts", 0) | {"colour": 1, "publish": "x"})
    head, *rest = caught.value.lines.splitlines()
    assert re.fullmatch(r"configuration /\S+/gm_analytics\.yaml: 3 problems", head)
    assert [line.partition(":")[0] for line in rest] == [
        "  publish",
        "  retry_attempts",
        "  colour",
    ]


def test_a_key_that_no_terminal_should_see_is_escaped(problems: Any) -> None:
    (found,) = problems(WHOLE | {"a\x1b[2J\nb": 1})
    assert found.startswith(r"'a\x1b[2J\nb': unknown key")


def test_a_mirror_s_misspelt_name_is_met_with_the_one_that_is_meant(load: Any) -> None:
    with pytest.raises(ConfigError, match=r"did you mean mirror\.icesi\.edu\.co\?"):
        load(WHOLE).mirror("mirror.icesi.edu")


PROXIES = ["http://proxy.example:3128", "https://p:3128/", "http://ana:s3cret@p:1", "none"]
NO_PROXIES = ["p:3128", "socks5://ana:s3cret@p:1", "http://", "http://p/s3cret", "http://p:s3cret"]


@pytest.mark.parametrize("path", ["github.proxy", "mirrors.0.proxy"])
@pytest.mark.parametrize("value", PROXIES)
def test_a_proxy_is_an_address_or_none(load: Any, path: str, value: str) -> None:
    found = load(changed(path, value))
    assert value in {found.github.proxy, found.mirrors[0].proxy}
    assert "s3cret" not in repr(found) + found.model_dump_json()


@pytest.mark.parametrize("path", ["github.proxy", "mirrors.0.proxy"])
@pytest.mark.parametrize("value", [*NO_PROXIES, 3128, True, ""])
def test_what_is_no_proxy_is_refused_and_not_repeated(
    problems: Any, path: str, value: Any
) -> None:
    (said,) = problems(changed(path, value))
    assert "proxy" in said


@pytest.mark.parametrize(("given", "signed"), [(False, False), ("off", False), (True, True)])
def test_off_is_off_whatever_yaml_makes_of_it(load: Any, given: object, signed: bool) -> None:
    data = changed("mirrors.0.signing", given)
    data["mirrors"][0]["signing_home"] = "/etc/gm/home"
    mirror = load(data).mirrors[0]
    assert (mirror.signing, bool(mirror.key_home)) == ("on" if signed else "off", signed)


def test_settings_cannot_be_changed_later(load: Any) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(WHOLE).publish = "on_merge"


@pytest.mark.parametrize(
    "path",
    [
        "webhook.secret_file",
        "github.token_file",
        "github.ca_file",
        "mirrors.0.identity_file",
        "mirrors.0.known_hosts",
        "mirrors.0.signing_home",
        "mirrors.0.ca_file",
    ],
)
@pytest.mark.parametrize("value", ["id", "./id", "~/id", "../id", ""])
def test_a_path_here_is_absolute(problems: Any, path: str, value: str) -> None:
    data = changed(path, value)
    data["webhook"].pop("secret", None) if path == "webhook.secret_file" else None
    (said,) = problems(data)
    assert "expected an absolute path" in said


@pytest.mark.parametrize("key", ["api_url", "raw_url"])
@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://ghe.example/api/v3", True),
        ("http://127.0.0.1:8080/api", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80/", True),
        ("http://localhost:1", True),
        ("http://LOCALHOST./", True),
        ("http://api.github.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://10.0.0.1", False),
        ("http://[::ffff:10.0.0.1]", False),
        ("https://user:s3cret@api.github.com", False),
        ("https://s3cret@api.github.com", False),
        ("https://api.github.com/?x=s3cret", False),
        ("https://api.github.com/#s3cret", False),
    ],
)
def test_github_is_reached_over_tls_or_loopback(
    load: Any, problems: Any, key: str, url: str, good: bool
) -> None:
    data = changed(f"github.{key}", url)
    if good:
        assert load(data)
    else:
        assert problems(data)[0].startswith(f"github.{key}: ")


# --- files and mirrors ----------------------------------------------------------------------


def test_the_file_named_wins_over_the_environment() -> None:
    environ = {settings.ENVIRONMENT: "/b"}
    assert settings.find(Path("/a"), environ) == Path("/a")
    assert settings.find(None, environ) == Path("/b")


def test_without_a_file_one_is_told_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "PLACE", tmp_path / "there.yaml")
    with pytest.raises(ConfigError, match=r"\$GM_ANALYTICS_CONFIG, .*there\.yaml"):
        settings.find(None, {})
    (tmp_path / "there.yaml").touch()
    assert settings.find(None, {}) == tmp_path / "there.yaml"


def test_the_environment_s_file_is_the_same_wherever_a_command_is_called() -> None:
    with pytest.raises(ConfigError, match=r"found 'gm\.yaml'; expected an absolute path"):
        settings.find(None, {settings.ENVIRONMENT: "gm.yaml"})


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reading it: No such file"):
        settings.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: not YAML: no UTF-8"):
        settings.load(tmp_path / "latin.yaml")


def test_a_mirror_is_found_by_name_or_the_known_ones_are_told(load: Any) -> None:
    found = load(WHOLE)
    assert found.mirror("mirror.icesi.edu.co") is found.mirrors[0]
    with pytest.raises(ConfigError, match=r"found no 'x'; expected one of mirror\.icesi\.edu\.co"):
        found.mirror("x")


def test_the_settings_know_their_files(load: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    data = changed("webhook.secret_file", str(tmp_path / "secret"))
    del data["webhook"]["secret"]
    file = tmp_path / "gm_analytics.yaml"
    assert load(data).files == settings.Files(file, False, (tmp_path / "secret",))
    assert load(WHOLE).files == settings.Files(file, True, ())
    assert load({**data, "github": {"token": "t"}}).files.has_secrets
    assert load({**data, "database_url": "postgresql://a:b@c/d"}).files.has_secrets
    assert not load({**data, "database_url": "postgresql://c/d"}).files.has_secrets


def test_a_repository_changes_the_mirrors_that_name_it_or_name_none(load: Any) -> None:
    names = {"all": None, "some": ["Icesi/Packages"], "others": ["icesi/other"], "none": []}
    mirrors = [{**MIRROR, "name": name, "repositories": repos} for name, repos in names.items()]
    found = load({**WHOLE, "mirrors": mirrors})
    assert [mirror.name for mirror in found.mirrors_of("icesi/packages")] == ["all", "some"]
