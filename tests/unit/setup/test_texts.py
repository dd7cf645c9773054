"""What is made from templates: a configuration that the service takes, and the cookbooks' own."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.setup import answers, ssh_key, texts
from gm_analytics.setup.accounts import Accounts, Owner
from gm_analytics.setup.answers import Answers
from gm_analytics.setup.places import Places

TOP = Path(__file__).parents[3]
COOKBOOKS = TOP / "cookbooks"
ROOTS = Places(
    Path("/etc/gm_analytics"), Path("/var/lib/gm_analytics"), Path("/var/lib/gm_analytics_worker")
)
TWO = Accounts(
    "gm_analytics", "gm_analytics_web", "gm_analytics", Owner(0, 7), Owner(1, 7), Owner(2, 7)
)
GIVEN = Answers(
    ("team/packages", "team/more"), "mirror.example.com", "http://m.example.com/r/", "9"
)
KEY = "restrict ssh-ed25519 AAAA gm_analytics"


def taken(given: Answers, directory: Path) -> settings.Settings:
    """Give what the service reads of a configuration that was made of answers."""
    places = Places(directory, directory / "store", directory / "work")
    places.secret.write_text("s" * 32)
    places.config.write_text(texts.configuration(given, places))
    return settings.load(places.config)


def mirror(directory: Path, **changed: str) -> settings.Mirror:
    return taken(Answers(**{**vars(GIVEN), **changed}), directory).mirrors[0]


def test_a_configuration_says_what_was_answered(tmp_path: Path) -> None:
    found = taken(GIVEN, tmp_path)
    assert found.webhook.repositories == ["team/packages", "team/more"]
    one = found.mirrors[0]
    assert (one.address, one.base_url) == ("mirror.example.com", "http://m.example.com/r/")
    assert (one.upstream.releasever, one.upstream.module_platform_id) == ("9", "platform:el9")
    assert found.public_url is None


def test_what_was_not_answered_is_commented_out(tmp_path: Path) -> None:
    found = taken(
        Answers(("a/b",), "m", "http://m/repo/", "rawhide", publish="on_merge"), tmp_path
    )
    assert found.mirrors[0].upstream.module_platform_id is None
    assert found.publish == "on_merge"
    text = (tmp_path / "config.yaml").read_text()
    assert "# public_url: https://ci.example.com\n" in text
    assert not re.search("@[a-z_]+@", text)


def test_each_comment_out_key_is_one_that_the_service_takes(tmp_path: Path) -> None:
    """Uncommented one by one, since an example that is refused is worse than none."""
    text = texts.configuration(GIVEN, Places(tmp_path, tmp_path / "store", tmp_path / "work"))
    (tmp_path / "webhook_secret").write_text("s" * 32)
    (tmp_path / "github_token").write_text("t" * 32)
    examples = re.findall(r"^ *# [a-z_]+:.*(?:\n#   [a-z_]+:.*)*", text, re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        if example.strip("# ").startswith(("on_pull_request:", "on_merge:")):
            continue
        place = tmp_path / "config.yaml"
        place.write_text(text.replace(example, re.sub(r"(?m)^( *)# ", r"\1", example)))
        assert settings.load(place), example


def heredoc(name: str) -> str:
    """Give a constant of the cookbook, filled as Ruby does."""
    library = (COOKBOOKS / "ci_server" / "libraries" / "ci.rb").read_text("utf-8")
    found = re.search(rf"{name} = <<~UNIT.freeze\n(.*?)\n    UNIT", library, re.DOTALL)
    assert found, name
    paths = {"ETC": ROOTS.etc, "STORE": ROOTS.store, "WORK": ROOTS.work}
    text = re.sub(r"#{(\w+)}", lambda part: str(paths[part[1]]), found[1])
    return re.sub("^ {6}", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("role", ["WEB", "WORKER"])
def test_units_are_the_cookbook_s(role: str) -> None:
    """But for what only the lab has: Vagrant's folder, and ngrok."""
    parts = ["SERVICE", f"{role}_ALONE", *(["LOOPBACK"] if role == "WEB" else []), "HARDENING"]
    theirs = "\n".join(map(heredoc, parts))
    theirs = theirs.replace(" -/etc/ngrok.yml", "").replace("InaccessiblePaths=-/vagrant\n", "")
    ours = texts.units(ROOTS, TWO, "/opt/gm_analytics/venv/bin/gm-analytics", 8080)
    unit = ours[f"gm-analytics-{role.lower()}.service"]
    body = unit.partition("TimeoutStopSec=30\n")[2].partition("\n\n[Install]")[0]
    assert body == theirs
    account = "gm_analytics_web" if role == "WEB" else "gm_analytics"
    assert f"\nUser={account}\nGroup=gm_analytics\n" in unit


def test_nginx_serves_what_the_cookbook_s_does(tmp_path: Path) -> None:
    template = (COOKBOOKS / "mirror_server" / "templates" / "nginx.conf.erb").read_text("utf-8")
    theirs = template[template.index("    map $uri") :].removesuffix("}\n")
    for mark, value in {
        " default_server": "",
        "<%= @server_name %>": "m.example.com mirror.example.com",
        "<%= @root %>": "/var/repo",
        "/repo/": "/r/",
    }.items():
        theirs = theirs.replace(mark, value)
    theirs = theirs.replace("/var/r/", "/var/repo/")
    ours = texts.nginx(mirror(tmp_path)).partition("\n")[2]
    assert ours == re.sub("^ {4}", "", theirs, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://m.example.com:8000/a.b/", ["listen 8000;", '"^/a\\.b/(?<named>', "302 /a.b/;"]),
        ("https://m.example.com/repo/", ["listen 80;"]),
    ],
)
def test_nginx_serves_the_address_that_clients_have(
    url: str, said: list[str], tmp_path: Path
) -> None:
    assert all(words in texts.nginx(mirror(tmp_path, url=url)) for words in said)


def test_the_login_is_the_cookbook_s_but_for_where_the_key_is(tmp_path: Path) -> None:
    template = (COOKBOOKS / "mirror_server" / "templates" / "sshd.conf.erb").read_text("utf-8")
    theirs = [line for line in template.splitlines() if not line.startswith(("<%", "#"))]
    ours = texts.filled("sshd.conf", {"account": "<%= @account %>"}).splitlines()
    differ = {line.split()[0] for line in set(theirs) ^ set(ours) if "#" not in line}
    assert differ == {"AuthorizedKeysFile", "AuthorizedKeysCommand", "AuthorizedKeysCommandUser"}


def test_the_script_has_the_packages_of_the_cookbook(tmp_path: Path) -> None:
    library = (COOKBOOKS / "mirror_server" / "libraries" / "mirror.rb").read_text("utf-8")
    script = texts.mirror_script(mirror(tmp_path), KEY)
    for packages in re.findall(r"packages: %w\((.*?)\)", library):
        assert re.search(rf"install .*{packages}", script.replace("\\\n        ", ""))


def test_the_script_is_one_that_a_shell_reads_and_gives_its_values(tmp_path: Path) -> None:
    script = texts.mirror_script(mirror(tmp_path), KEY)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    head, _, _ = script.partition("\nsay()")
    shown = head.replace("PATH=", "_=") + '\nprintf "%s|" "$account" "$root" "$reposdir" "$key"'
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout == f"mirror|/var/repo|/etc/gm-mirror/yum.repos.d|{KEY}|"
    assert shlex.quote("x y") in texts.mirror_script(mirror(tmp_path), "x y")


def test_a_key_is_ed25519_and_its_public_half_is_found(tmp_path: Path) -> None:
    private = ssh_key.new()
    public = ssh_key.public_of(private)
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/]{68} gm_analytics", public)
    with pytest.raises(ValueError):  # noqa: PT011  # whatever cryptography says
        ssh_key.public_of("no key")


def test_the_key_may_be_accepted_from_some_addresses_alone() -> None:
    assert texts.authorized_key("k", ("192.0.2.1", "10.0.0.0/8")) == (
        'restrict,from="192.0.2.1,10.0.0.0/8" k'
    )


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        (answers.REPOSITORY, "packages"),
        (answers.REPOSITORY, "a/b/c"),
        (answers.HOST, "mirror.example.com\nx: y"),
        (answers.HOST, "-oProxyCommand=x"),
        (answers.URL, "ftp://x/"),
        (answers.URL, "http://x/ y"),
        (answers.RELEASE, '9"'),
        (answers.ACCOUNT, "Root"),
        (answers.FINGERPRINT, "MD5:aa:bb"),
        (answers.SOURCE, 'x" y'),
        (answers.PATH, "var/repo"),
    ],
)
def test_an_answer_that_is_none_is_refused(form: answers.Grammar, wrong: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        answers.checked(form, wrong)
