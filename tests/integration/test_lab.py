"""The lab itself: what the other tests and the demo stand on is real and behaves as promised."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from lab.client import Client
from lab.deliveries import PullRequest, deliver, signature
from lab.github import GitHub, Repository
from lab.mirror_host import ACCOUNT
from lab.packages import BIG_SIZE, CATALOG, LEAF_NAMES, Package, build, synthetic
from lab.processes import (
    CommandError,
    LabError,
    Terminated,
    reserve_port,
    run,
    terminable,
    wait_for,
)
from lab.site import Mirror, Site
from lab.upstream import SigningKey, Upstream, built_catalog
from lab.web import WebServer

TREE = next(package for package in CATALOG if package.name == "tree")
BLOB = next(package for package in CATALOG if package.name == "firmware-blob")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        yield running


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("github") / "git")


@pytest.fixture
def github(repository: Repository) -> Iterator[GitHub]:
    with GitHub.running(repository, token="lab-token") as running:
        yield running


@pytest.fixture
def upstream_client(site: Site, tmp_path: Path) -> Client:
    """A client of upstream itself."""
    return Client(tmp_path, site.upstream_web.url)


def download(mirror: Mirror, *specs: str) -> frozenset[str]:
    """Do what the service does on the mirror host; give the names of the files."""
    root = mirror.host.root
    mirror.host.ssh(
        *("unshare", "--map-root-user", "dnf", "--quiet", "--assumeyes", "--noplugins"),
        *("--releasever=9", f"--installroot={root}/.empty", f"--setopt=cachedir={root}/.cache"),
        *(f"--setopt=reposdir={mirror.host.reposdir}", "--setopt=install_weak_deps=0"),
        *("--setopt=module_platform_id=platform:el9", "--setopt=metadata_expire=1"),
        *("--downloadonly", f"--downloaddir={root}/got", "install", *specs),
    )
    return frozenset(path.name for path in (root / "got").glob("*.rpm"))


# --- Packages and upstream ----------------------------------------------------------------


def test_the_catalog_has_forty_packages_beside_fifty_leaves() -> None:
    assert len([package for package in CATALOG if package.name not in LEAF_NAMES]) >= 40
    assert len(LEAF_NAMES) >= 50


def test_a_closure_is_installed_into_an_empty_system(upstream_client: Client) -> None:
    upstream_client.install("tree", "nmap")
    assert {
        "tree",
        "nmap",
        "nmap-ncat",
        "libpcap",
        "libssh2",
        "openssl-libs",
        "glibc",
        "setup",
    } <= (upstream_client.names())
    assert "nmap-3:7.94-1.el9.x86_64".replace("x86_64", TREE.arch) in upstream_client.installed()
    program = upstream_client.root / "usr/bin/nmap"
    assert run(["sh", str(program)]).stdout == "nmap 7.94\n"


@pytest.mark.parametrize(
    ("specs", "present", "absent"),
    [
        (["nmap-7.92"], {"nmap"}, set()),
        (["webapp", "httpd"], {"httpd"}, {"nginx"}),
        (["webapp", "nginx"], {"nginx"}, {"httpd"}),
        (["editor"], {"sqlite-libs"}, {"langpack-es"}),
        (["editor", "desktop"], {"langpack-es"}, set()),
        (["autoconf"], {"perl", "m4"}, set()),
        (["vim-enhanced"], {"vim-enhanced"}, {"vim-spell"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_dependencies_of_every_kind_are_solved(
    site: Site, tmp_path: Path, specs: list[str], present: set[str], absent: set[str]
) -> None:
    client = Client(tmp_path, site.upstream_web.url)
    client.install(*specs)
    assert present <= client.names()
    assert not absent & client.names()


@pytest.mark.usefixtures("groups")
def test_a_group_is_installed(site: Site, tmp_path: Path) -> None:
    client = Client(tmp_path, site.upstream_web.url)
    client.install("@development")
    assert {"gcc", "make", "git-core"} <= client.names()


def test_a_weak_dependency_is_followed_where_that_is_wanted(site: Site, tmp_path: Path) -> None:
    client = Client(tmp_path, site.upstream_web.url, options={"install_weak_deps": "1"})
    client.install("vim-enhanced")
    assert "vim-spell" in client.names()


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["postfix", "sendmail"], "conflicts with"),
        (["nmap-7.92", "nmap-7.94"], "conflicting requests"),
        (["broken"], "nothing provides libmissing.so.9()(64bit)"),
        (["nope"], "No match for argument: nope"),
    ],
    ids=["conflict", "two versions", "broken", "unknown"],
)
def test_what_cannot_be_installed_is_refused_with_dnfs_words(
    upstream_client: Client, specs: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match="exit code 1") as caught:
        upstream_client.install(*specs)
    assert words in caught.value.output


def test_what_is_published_upstream_is_seen_and_what_is_removed_is_not(
    site: Site, upstream_client: Client
) -> None:
    new = Package("fresh", "2.0", requires=("tree",), epoch=7)
    site.upstream.add(new)
    assert new.nevra in upstream_client.available()
    site.upstream.remove(new)
    wait_for(lambda: new.nevra not in upstream_client.available(), "the removal to be seen")


def test_a_rebuilt_package_has_the_same_name_and_other_bytes(tmp_path: Path) -> None:
    package = Package("again", programs=("/usr/bin/again",))
    (path,) = build([package], tmp_path)
    first = path.read_bytes()
    assert build([package.rebuilt()], tmp_path) == (path,)
    assert path.read_bytes() != first


def test_a_corrupted_package_is_refused_and_the_shared_build_is_untouched(site: Site) -> None:
    before = (built_catalog() / BLOB.filename).read_bytes()
    site.upstream.corrupt(BLOB)
    try:
        with pytest.raises(CommandError, match="exit code 1"):
            download(site.mirror, "firmware-blob")
    finally:
        site.upstream.add(BLOB)
    assert (built_catalog() / BLOB.filename).read_bytes() == before
    assert len(before) > BIG_SIZE, "the data must not compress"


def test_many_packages_are_one_quick_build(tmp_path: Path) -> None:
    assert len(build(synthetic(200), tmp_path)) == len(list(tmp_path.glob("*.rpm"))) == 200


def test_signed_packages_pass_gpgcheck_and_unsigned_ones_do_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    leaves = [package for package in CATALOG if package.name in ("leaf00", "leaf01")]
    with SigningKey.make() as key:
        upstream = Upstream.create(tmp_path / "upstream", leaves[:1], key)
        build(leaves[1:], upstream.root)
        upstream.refresh()
        url = upstream.root.as_uri()
        client = Client(tmp_path / "client", url, gpgkey=key.public_key.as_uri())
        client.install("leaf00")
        assert "leaf00" in client.names()
        with pytest.raises(CommandError, match="is not signed"):
            client.install("leaf01")
        assert "gpgcheck=1" in upstream.repo_file(tmp_path, url).read_text()


# --- The mirror host ----------------------------------------------------------------------


def test_the_account_works_over_ssh_and_is_known_to_nobody_else(site: Site) -> None:
    host = site.mirror.host
    words = host.ssh("sh", "-c", 'id -un; id -u; printf %s "$HOME"').stdout.split()
    assert words == [host.user, str(host.uid), str(host.home)]
    if host.user == ACCOUNT and os.geteuid() == 0:
        assert f":{host.uid}:" not in Path("/etc/passwd").read_text()
    denied = host.ssh("touch", "/etc/lab", check=False)
    assert "Permission denied" in denied.stderr


def test_an_unknown_host_key_is_refused_by_the_client(site: Site, tmp_path: Path) -> None:
    host = site.mirror.host
    known = host.known_hosts.read_text()
    other = tmp_path / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)])
    wrong = " ".join(other.with_suffix(".pub").read_text().split()[:2])
    host.known_hosts.write_text(f"[{host.host}]:{host.port} {wrong}\n")
    try:
        with pytest.raises(CommandError, match="Host key verification failed"):
            host.ssh("true")
    finally:
        host.known_hosts.write_text(known)


def test_dnf_downloads_a_closure_for_the_ordinary_account(site: Site) -> None:
    names = download(site.mirror, "tree")
    assert {TREE.filename, "setup-2.13.7-1.el9.noarch.rpm"} <= names


def test_logins_and_commands_are_counted_with_their_exact_words(site: Site) -> None:
    host = site.mirror.host
    before, logins = len(host.commands()), host.accepted_connections()
    arguments = ("--version", "it's", "two words", "", "line\nend", '$(id) "`')
    started = time.time()
    host.ssh("createrepo_c", *arguments, check=False)
    (command,) = host.commands()[before:]
    assert (command.program, command.arguments) == ("createrepo_c", arguments)
    assert started - 1 <= command.when <= time.time() + 1
    assert host.accepted_connections() == logins + 1


def test_a_test_can_put_its_own_program_in_place(site: Site) -> None:
    host = site.mirror.host
    host.install_program("dnf", "#!/bin/sh\necho locked >&2\nexit 200\n")
    try:
        done = host.ssh("dnf", "install", "x", check=False)
        assert (done.returncode, done.stderr) == (200, "locked\n")
        assert host.commands("dnf")[-1].arguments == ("install", "x")
    finally:
        host.restore_program("dnf")
    assert host.ssh("dnf", "--version").returncode == 0


def test_stop_is_a_power_cut_and_start_brings_the_same_host_back(site: Site) -> None:
    host = site.add_mirror("power.example.org").host
    ready = host.home / "ready"
    program = f"echo $$ > {ready}.new; mv {ready}.new {ready}; sleep 600 & exec sleep 600"
    thread = threading.Thread(target=host.ssh, args=("sh", "-c", program), kwargs={"check": False})
    thread.start()
    pid = int(wait_for(lambda: ready.exists() and ready.read_text(), "the command to run"))
    host.stop()
    thread.join()
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().split(") ")[1].startswith("Z")
    with pytest.raises(CommandError, match="Connection refused"):
        host.ssh("true")
    host.start()
    assert host.ssh("echo", "back").stdout == "back\n"


def test_disconnect_cuts_the_connection_and_not_the_command(site: Site) -> None:
    host = site.mirror.host
    ready, done = host.home / "started", host.home / "done"
    program = f"touch {ready}; until [ -e {host.home}/go ]; do sleep 0.02; done; touch {done}"
    thread = threading.Thread(target=host.ssh, args=("sh", "-c", program), kwargs={"check": False})
    thread.start()
    wait_for(ready.exists, "the command to start")
    assert host.disconnect() > 0
    thread.join()
    (host.home / "go").touch()
    wait_for(done.exists, "the command to end by itself")


def test_two_mirror_hosts_are_apart(site: Site) -> None:
    other = site.add_mirror("other.example.org")
    assert other.host.port != site.mirror.host.port
    other.host.ssh("touch", f"{other.host.root}/only-here.rpm")
    assert requests.get(f"{other.web.url}only-here.rpm", timeout=10).ok
    assert requests.get(f"{site.mirror.web.url}only-here.rpm", timeout=10).status_code == 404
    if os.geteuid() == 0:
        denied = other.host.ssh("touch", f"{site.mirror.host.root}/x", check=False)
        assert "Permission denied" in denied.stderr


@needs_root
def test_a_small_disk_gets_full_and_leaves_no_mount(site: Site) -> None:
    with Site.running() as small:
        mirror = small.add_mirror("small.example.org", tmpfs_mb=2)
        root = str(mirror.host.root)
        done = mirror.host.ssh(
            "dd", "if=/dev/zero", f"of={root}/x", "bs=1M", "count=3", check=False
        )
        assert "No space left on device" in done.stderr
        assert root in Path("/proc/mounts").read_text()
    assert root not in Path("/proc/mounts").read_text()


# --- The web server -----------------------------------------------------------------------


def test_the_mirrors_web_server_follows_repodata_and_hides_dot_names(site: Site) -> None:
    mirror = site.add_mirror("web.example.org")
    root = str(mirror.host.root)
    published = f"{root}/.publications/000001"
    mirror.host.ssh("mkdir", "-p", published)
    mirror.host.ssh("createrepo_c", "--quiet", "--outputdir", published, root)
    mirror.host.ssh("ln", "-s", ".publications/000001/repodata", f"{root}/repodata")
    mirror.host.ssh("touch", f"{root}/tree.rpm", f"{root}/.lock")

    def get(path: str) -> requests.Response:
        return requests.get(mirror.web.url + path, timeout=10)

    assert get("repodata/repomd.xml").headers["Cache-Control"] == "no-cache"
    assert "max-age" in get("tree.rpm").headers["Cache-Control"]
    assert "tree.rpm" in get("").text
    assert ".lock" not in get("").text
    hidden = (".lock", ".publications/", ".publications/000001/repodata/repomd.xml", "%2elock")
    assert [get(path).status_code for path in hidden] == [404] * len(hidden)
    assert "/repo/tree.rpm" in mirror.web.paths()
    assert requests.get(f"http://127.0.0.1:{mirror.web.port}/", timeout=10).status_code == 404


def test_a_preview_is_served_through_its_link_and_its_repomd_never_kept(site: Site) -> None:
    mirror = site.add_mirror("previews.example.org")
    root = str(mirror.host.root)
    made = f"{root}/.previews/7-1/repodata"
    mirror.host.ssh("mkdir", "-p", made, f"{root}/previews")
    mirror.host.ssh("touch", f"{made}/repomd.xml", f"{made}/abc-primary.xml.gz")
    mirror.host.ssh("ln", "-s", "../.previews/7-1", f"{root}/previews/7")

    def kept(path: str) -> tuple[int, str]:
        reply = requests.get(mirror.web.url + path, timeout=10)
        return reply.status_code, reply.headers.get("Cache-Control", "")

    for_long = "public, max-age=604800, immutable"
    assert kept("previews/7/repodata/repomd.xml") == (200, "no-cache")
    assert kept("previews/7/repodata/abc-primary.xml.gz") == (200, for_long)
    assert kept("previews/") == (200, "no-cache")
    assert kept(".previews/7-1/repodata/repomd.xml") == (404, "")


def test_a_web_server_stops_and_starts_on_its_port(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with WebServer.serving(tmp_path / "web", tmp_path, "/x/") as web:
        web.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(web.url, timeout=10)
        web.start()
        assert requests.get(web.url, timeout=10).status_code != 502


# --- GitHub -------------------------------------------------------------------------------


def api(github: GitHub, path: str) -> str:
    return f"{github.api_url}/repos/{github.repository.name}/{path}"


def as_bot(method: str, url: str, **options: object) -> requests.Response:
    headers = {"Authorization": "Bearer lab-token", **options.pop("headers", {})}  # type: ignore[dict-item]
    return requests.request(method, url, headers=headers, timeout=10, **options)  # type: ignore[arg-type]


def test_content_is_read_at_its_commit(github: GitHub) -> None:
    old = github.repository.commit({"packages.json": "[]\n", "binary": b"\xff\x00"})
    new = github.repository.commit({"packages.json": '["tree"]\n'}, "change")
    raw = f"{github.raw_url}/{github.repository.name}"
    assert requests.get(f"{raw}/{old}/packages.json", timeout=10).text == "[]\n"
    assert requests.get(f"{raw}/{new}/packages.json", timeout=10).text == '["tree"]\n'
    assert requests.get(f"{raw}/{new}/binary", timeout=10).content == b"\xff\x00"
    assert requests.get(f"{raw}/{'0' * 40}/packages.json", timeout=10).status_code == 404
    github.repository.commit({"packages.json": None}, "gone", base="change")
    assert github.repository.read("gone", "packages.json") is None
    merged = github.repository.merge("change")
    assert github.repository.read(merged, "packages.json") == b'["tree"]\n'


def test_the_contents_api_gives_json_or_the_raw_file(github: GitHub) -> None:
    sha = github.repository.commit({"packages.json": "[ ]\n"})
    url = api(github, f"contents/packages.json?ref={sha}")
    described = as_bot("GET", url).json()
    assert (described["encoding"], described["content"], described["size"]) == (
        "base64",
        "WyBdCg==\n",
        4,
    )
    raw = {"Accept": "application/vnd.github.raw+json"}
    assert as_bot("GET", url, headers=raw).content == b"[ ]\n"
    assert as_bot("GET", api(github, "contents/none")).json()["message"] == "Not Found"


def test_commits_are_compared_as_github_does(github: GitHub) -> None:
    repository = github.repository
    repository.commit({"packages.json": "[]\n"})
    old = repository.commit({"packages.json": "[]\n", "README.md": "a\n"}, "old")
    head = repository.commit({"README.md": "a\nb\n"}, "work", base="old")
    tip = repository.commit({"packages.json": '["tree"]\n'}, "old")
    found = as_bot("GET", api(github, f"compare/old...{head}?per_page=1")).json()
    assert (found["status"], found["merge_base_commit"]["sha"]) == ("diverged", old)
    assert [(file["filename"], file["changes"]) for file in found["files"]] == [("README.md", 1)]
    for pair, status in ((f"{old}...{head}", "ahead"), (f"{tip}...{old}", "behind"),
                         (f"{tip}...old", "identical")):  # fmt: skip
        assert as_bot("GET", api(github, f"compare/{pair}")).json()["status"] == status
    assert as_bot("GET", api(github, f"compare/old...{'0' * 40}")).status_code == 404
    assert as_bot("GET", api(github, f"commits/{'0' * 40}")).status_code == 422
    sha = {"Accept": "application/vnd.github.sha"}
    assert as_bot("GET", api(github, "commits/old"), headers=sha).text == tip
    branch = as_bot("GET", api(github, "branches/old")).json()
    assert branch["commit"]["sha"] == tip
    assert branch["commit"]["commit"]["committer"]["date"].endswith("Z")
    assert as_bot("GET", api(github, "branches/nope")).json()["message"] == "Branch not found"


def test_pull_requests_are_listed_by_pages_and_not_sent_twice(github: GitHub) -> None:
    for number in (1, 2, 3):
        action = "closed" if number == 2 else "opened"
        at = f"2026-11-26T10:00:0{number}Z"
        pull = PullRequest("1" * 40, number=number, action=action, updated_at=at)
        github.add_pull(pull.payload())
    query = "state=all&sort=updated&direction=desc"
    first = as_bot("GET", api(github, f"pulls?{query}&per_page=2"))
    assert [pull["number"] for pull in first.json()] == [3, 2]
    assert "merged" not in first.json()[0], "only a pull request that is shown alone has it"
    rest = as_bot("GET", first.links["next"]["url"])
    assert [pull["number"] for pull in rest.json()] == [1]
    assert sorted(p["number"] for p in as_bot("GET", api(github, "pulls")).json()) == [1, 3]
    known = {"If-None-Match": first.headers["ETag"]}
    again = as_bot("GET", api(github, f"pulls?{query}&per_page=2"), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    github.pulls.clear()
    assert as_bot("GET", first.url, headers=known).status_code == 200


def test_a_private_repository_and_a_token_are_guarded_as_githubs(github: GitHub) -> None:
    sha = github.repository.commit({"packages.json": "[]"})
    contents = api(github, f"contents/packages.json?ref={sha}")
    statuses = api(github, f"statuses/{sha}")
    wrong = {"Authorization": "Bearer other"}
    assert requests.get(contents, headers=wrong, timeout=10).json()["message"] == "Bad credentials"
    assert requests.post(statuses, json={"state": "success"}, timeout=10).status_code == 401
    github.rights.remove("statuses")
    assert as_bot("POST", statuses, json={"state": "success"}).status_code == 403
    github.repository.private = True
    try:
        assert requests.get(contents, timeout=10).status_code == 404
        raw = f"{github.raw_url}/{github.repository.name}/{sha}/packages.json"
        assert requests.get(raw, timeout=10).status_code == 404
        assert as_bot("GET", contents).ok
    finally:
        github.repository.private = False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"state": "done"}, "state"),
        ({"description": "x" * 141}, "description"),
        ({"target_url": "javascript:1"}, "target_url"),
    ],
)
def test_a_status_is_checked(github: GitHub, change: dict[str, str], field: str) -> None:
    sha = github.repository.commit({"packages.json": "[]"})
    reply = as_bot("POST", api(github, f"statuses/{sha}"), json={"state": "pending", **change})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


def test_statuses_are_kept_newest_first_and_combined(github: GitHub) -> None:
    sha = github.repository.commit({"packages.json": "[]"})
    for state in ("pending", "failure", "success"):
        given = {"state": state, "context": "mirror", "description": "x" * 140}
        assert as_bot("POST", api(github, f"statuses/{sha}"), json=given).status_code == 201
    listed = requests.get(api(github, f"commits/{sha}/statuses"), timeout=10).json()
    assert [status["state"] for status in listed] == ["success", "failure", "pending"]
    combined = requests.get(api(github, f"commits/{sha}/status"), timeout=10).json()
    assert (combined["state"], combined["total_count"]) == ("success", 1)
    unknown = as_bot("POST", api(github, f"statuses/{'0' * 40}"), json={"state": "success"})
    assert (unknown.status_code, unknown.json()["message"]) == (
        422,
        f"No commit found for SHA: {'0' * 40}",
    )


def test_comments_are_written_paged_changed_and_deleted(github: GitHub) -> None:
    comments = api(github, "issues/3/comments")
    made = [as_bot("POST", comments, json={"body": f"{n}"}).json() for n in range(5)]
    reply = requests.get(f"{comments}?per_page=2", timeout=10)
    bodies = []
    while True:
        bodies += [comment["body"] for comment in reply.json()]
        if "next" not in reply.links:
            break
        reply = requests.get(reply.links["next"]["url"], timeout=10)
    assert bodies == list("01234")
    assert as_bot("PATCH", made[0]["url"], json={"body": "new"}).json()["body"] == "new"
    assert as_bot("DELETE", made[1]["url"]).status_code == 204
    assert [comment["body"] for comment in github.comments[3]] == ["new", "2", "3", "4"]
    for body in ("", "x" * 65_537):
        assert as_bot("POST", comments, json={"body": body}).status_code == 422
    github.missing_issues.add(4)
    assert as_bot("POST", api(github, "issues/4/comments"), json={"body": "x"}).status_code == 404


def test_comments_need_a_right_and_a_conversation_that_is_not_locked(github: GitHub) -> None:
    comments = api(github, "issues/3/comments")
    github.locked.add(3)
    refused = as_bot("POST", comments, json={"body": "x"})
    assert (refused.status_code, "is locked" in refused.json()["message"]) == (403, True)
    github.locked.clear()
    github.rights.remove("issues")
    refused = as_bot("POST", comments, json={"body": "x"})
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "issues=write"
    assert as_bot("GET", comments).json() == []


def test_a_conversation_shows_the_newest_statuses_and_who_said_what(github: GitHub) -> None:
    sha = github.repository.commit({"packages.json": "[]"})
    for state, url in (("pending", None), ("success", "https://ci/1")):
        given = {"state": state, "context": "m", "description": "words", "target_url": url}
        as_bot("POST", api(github, f"statuses/{sha}"), json=given)
    github.say(3, "Please review")
    as_bot("POST", api(github, "issues/3/comments"), json={"body": "Done"})
    assert as_bot("GET", f"{github.api_url}/user").json()["login"] == "lab-bot"
    assert github.conversation(3, sha) == (
        "success: m — words (https://ci/1)\n\n"
        "octo-author said:\nPlease review\n\nlab-bot said:\nDone"
    )


def test_answers_can_be_canned_in_order_and_connections_cut(github: GitHub) -> None:
    sha = github.repository.commit({"packages.json": "[]"})
    url = f"{github.raw_url}/{github.repository.name}/{sha}/packages.json"
    release = threading.Event()
    github.answer_next(r"^/raw/", status=429, headers={"Retry-After": "2"})
    github.answer_next(r"^/raw/", reset=True)
    github.answer_next(r"^/raw/", release=release)
    first = requests.get(url, timeout=10)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "2")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.2)
    release.set()
    assert requests.get(url, timeout=10).text == "[]"
    assert len(github.calls_to(r"packages\.json$", "GET")) == 4


def test_a_pull_request_is_shown_as_it_was_delivered(github: GitHub) -> None:
    github.add_pull(PullRequest("a" * 40, github.repository.name, number=9).payload())
    assert requests.get(api(github, "pulls/9"), timeout=10).json()["head"]["sha"] == "a" * 40
    assert requests.get(api(github, "pulls/8"), timeout=10).status_code == 404


# --- Deliveries ---------------------------------------------------------------------------


def test_a_signature_is_the_one_in_githubs_documentation() -> None:
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature("It's a Secret to Everybody", b"Hello, World!") == f"sha256={expected}"


def test_a_payload_is_of_githubs_size_and_names_one_repository() -> None:
    pull = PullRequest("a" * 40, "team/packages", number=7, action="closed", merged=True)
    text = json.dumps(pull.payload(), separators=(",", ":"))
    assert len(text) > 20_000
    assert "octo-org" not in text
    payload = pull.payload()
    assert payload["pull_request"]["url"].endswith("/repos/team/packages/pulls/7")
    assert payload["pull_request"]["merged"]
    assert payload["pull_request"]["head"]["repo"] == payload["pull_request"]["base"]["repo"]


def test_a_payload_of_a_fork_and_of_a_deleted_fork() -> None:
    pull = PullRequest("a" * 40, head_repository="else/fork")
    head = pull.payload()["pull_request"]["head"]["repo"]
    assert (head["full_name"], head["name"], head["fork"]) == ("else/fork", "fork", True)
    gone = replace(pull, head_repository=None).payload()["pull_request"]
    assert gone["head"]["repo"] is None
    assert gone["base"]["repo"]["full_name"] == pull.repository


def test_a_delivery_to_nobody_is_an_error() -> None:
    with pytest.raises(requests.ConnectionError):
        deliver(f"http://127.0.0.1:{reserve_port()}/", {}, "secret")


# --- Ends ---------------------------------------------------------------------------------


def test_an_error_carries_the_command_its_exit_code_and_its_words() -> None:
    with pytest.raises(CommandError, match="exit code 3: oops") as caught:
        run(["sh", "-c", "echo oops >&2; exit 3"])
    assert (caught.value.exit_code, caught.value.output) == (3, "oops")
    with pytest.raises(LabError, match="no-such-program: it is not installed"):
        run(["no-such-program"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_through_the_context_managers_once(number: signal.Signals) -> None:
    """A second one does not disturb the cleaning up that the first one began."""
    before, cleaned = signal.getsignal(number), False
    signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(Terminated), terminable():  # noqa: PT012 - the second signal is within
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), number)
                cleaned = True
        assert cleaned
    finally:
        signal.signal(number, before)


def test_a_host_that_cannot_start_says_why(site: Site) -> None:
    host = site.add_mirror("keyless.example.org").host
    (host.directory / "etc" / "host_ed25519").write_text("nonsense")
    with pytest.raises(CommandError, match="no hostkeys available"):
        host.restart()


def test_commits_go_to_the_labs_repository_alone(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the tests are run by a git hook, and when many commit at once."""
    run(["git", "init", "--quiet", str(tmp_path)])
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    with ThreadPoolExecutor(4) as threads:
        shas = threads.map(lambda n: repository.commit({"n": str(n)}, f"hook{n}"), range(4))
    assert [repository.read(sha, "n") for sha in shas] == [b"0", b"1", b"2", b"3"]
    assert not list((tmp_path / ".git" / "refs" / "heads").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_site_leaves_nothing_behind(number: signal.Signals) -> None:
    program = (
        "import signal\nfrom lab.site import Site\n"
        # A shell starts what it puts into the background with this signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with Site.running() as site:\n"
        "    print(site.directory, site.mirror.host._daemon.pid, flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        directory, sshd = process.stdout.readline().split()
        process.send_signal(number)
        process.wait(20)
    assert not Path(directory).exists()
    assert not Path(f"/proc/{sshd}").exists()
