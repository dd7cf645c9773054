"""The main job: a signed delivery in, packages that a client can install out."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from gm_analytics.github.webhook import MAX_BODY
from lab.deliveries import deliver, signature
from lab.packages import Package
from lab.processes import wait_for
from lab.site import Service, Site

from .conftest import manifest

SEED = Path("packages.json").read_text()


def resolving(site: Site) -> int:
    return sum("--downloadonly" in c.arguments for c in site.mirror.host.commands("dnf"))


def test_the_seeds_manifest_gives_the_seeds_result(site: Site, service: Service) -> None:
    """`ls` on the mirror shows tree and nmap; the client's list shows them, caches as they are."""
    client = site.client()
    assert "tree" not in client.list_all(check=False).stdout
    status = service.perform(site.push(SEED))
    assert status["state"] == "published", status
    listed = site.mirror.host.ssh("ls", str(site.mirror.host.root)).stdout
    assert re.search(r"^tree-.*\.rpm$", listed, re.MULTILINE)
    assert re.search(r"^nmap-7.*\.rpm$", listed, re.MULTILINE)
    assert re.search(r"^libpcap-.*\.rpm$", listed, re.MULTILINE), "what nmap needs is there too"
    shown = client.list_all().stdout
    assert re.search(r"^tree\.", shown, re.MULTILINE)
    assert re.search(r"^nmap\.", shown, re.MULTILINE)
    client.install("tree", "nmap")
    assert {"tree", "nmap", "libpcap"} <= client.names()


def test_fifty_entries_are_one_connection_one_resolving_run_and_one_createrepo(
    site: Site, service: Service
) -> None:
    host = site.mirror.host
    connections, runs = host.accepted_connections(), resolving(site)
    createrepos = len(host.commands("createrepo_c"))
    names = [f"leaf{number:02d}" for number in range(50)]
    status = service.perform(site.push(manifest(*names)))
    assert status["state"] == "published", status
    assert host.accepted_connections() - connections == 1
    assert resolving(site) - runs == 1
    assert len(host.commands("createrepo_c")) - createrepos == 1


def test_an_unchanged_manifest_ends_without_a_yum_run(site: Site, service: Service) -> None:
    text = manifest("leaf50")
    assert service.perform(site.push(text))["state"] == "published"
    runs = len(site.mirror.host.commands("dnf"))
    status = service.perform(site.push(text))
    assert status["state"] == "unchanged"
    assert len(site.mirror.host.commands("dnf")) == runs


def test_nothing_that_the_pool_has_is_downloaded_again(site: Site, service: Service) -> None:
    """Upstream's own log says what was fetched."""

    def fetched(name: str) -> int:
        return sum(f"/{name}-" in path for path in site.upstream_web.paths())

    assert service.perform(site.push(manifest("editor")))["state"] == "published"
    before = fetched("editor")
    assert before == 1
    site.upstream.add(Package("novelty", requires=("editor",)))
    assert service.perform(site.push(manifest("editor", "novelty")))["state"] == "published"
    assert (fetched("editor"), fetched("novelty")) == (before, 1)


def test_what_clients_cannot_see_yet_is_published_with_a_finding(
    site: Site, service: Service
) -> None:
    """It is looked for again, and the finding goes once they see it."""
    site.upstream.add(Package("unseen"))
    site.mirror.web.stop()
    try:
        update_id = service.deliver(site.push(manifest("unseen"))).json()["update_id"]
        done = service.end_of(update_id)
    finally:
        site.mirror.web.start()
    assert done["state"] == "published"
    assert "clients may not see it yet" in str(done["outcome"]["warnings"])
    assert "repodata/repomd.xml" not in str(done)  # an address is for the operator
    assert f"reading {site.mirror.web.url}repodata/repomd.xml" in service.log

    def seen() -> bool:
        return "clients may not see" not in str(service.show(update_id)["outcome"])

    wait_for(seen, "clients to see what is published", 60)


def test_a_manifest_whose_closure_is_served_already_publishes_nothing(
    site: Site, service: Service
) -> None:
    assert service.perform(site.push(manifest("leaf51", "leaf52")))["state"] == "published"
    before = site.mirror.host.ssh("readlink", f"{site.mirror.host.root}/repodata").stdout
    assert service.perform(site.push(manifest("leaf52")))["state"] == "unchanged"
    assert site.mirror.host.ssh("readlink", f"{site.mirror.host.root}/repodata").stdout == before


def test_a_package_that_the_mirror_host_itself_has_installed_is_mirrored(
    site: Site, service: Service
) -> None:
    """yum alone would skip it; the host's own database says so first."""
    host = site.mirror.host
    rpm = next(site.upstream.root.glob("leaf53-*.rpm"))
    # The account may not write the machine's own database: it has another for this test.
    macros = host.home / ".rpmmacros"
    macros.write_text(f"%_dbpath {host.home}/rpmdb\n")
    host.ssh("rpm", "--initdb")
    host.ssh("rpm", "-i", "--justdb", "--nodeps", "--nosignature", str(rpm))
    plain = ["unshare", "--map-root-user", "dnf", "-y", "--noplugins", "--releasever=9"]
    options = [f"--setopt=reposdir={host.reposdir}", f"--setopt=cachedir={host.home}/cache"]
    options += [f"--setopt=logdir={host.home}", "install", "--downloadonly", "leaf53"]
    # It fails later, for want of root: what matters is that it has nothing to download.
    assert "already installed" in host.ssh(*plain, *options, check=False).stdout
    assert service.perform(site.push(manifest("leaf53")))["state"] == "published"
    client = site.client()
    client.install("leaf53")
    assert "leaf53" in client.names()


def test_the_same_delivery_ten_times_at_once_is_one_update_and_one_run(
    site: Site, service: Service
) -> None:
    pull, delivery_id, runs = site.push(manifest("leaf54")), str(uuid.uuid4()), resolving(site)
    with ThreadPoolExecutor(10) as threads:
        replies = list(
            threads.map(lambda _: service.deliver(pull, delivery_id=delivery_id), range(10))
        )
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["update_id"] for reply in replies}) == 1
    assert service.end_of(delivery_id)["state"] == "published"
    assert resolving(site) - runs == 1


def test_a_failed_update_is_run_again_when_its_delivery_comes_again(
    site: Site, service: Service
) -> None:
    pull, delivery_id = site.push(manifest("latecomer")), str(uuid.uuid4())
    failed = service.perform(pull, delivery_id=delivery_id)
    assert failed["state"] == "failed"
    assert "No match for argument: latecomer" in failed["message"]
    site.upstream.add(Package("latecomer"))
    assert service.perform(pull, delivery_id=delivery_id)["state"] == "published"


def test_a_failed_update_that_is_run_again_waits_for_its_turn(
    site: Site, service: Service
) -> None:
    failing, delivery_id = site.push(manifest("never-there")), str(uuid.uuid4())
    assert service.perform(failing, delivery_id=delivery_id)["state"] == "failed"
    release, pull = threading.Event(), site.push(manifest("leaf33"), branch="slow", number=99)
    site.github.answer_next(pull.head_sha, status=200, body=["leaf33"], release=release)
    slow = service.deliver(pull).json()["update_id"]
    wait_for(lambda: service.show(slow)["state"] == "running", "the slow one to begin")
    assert service.deliver(failing, delivery_id=delivery_id).status_code == 202
    release.set()
    first, second = service.end_of(slow), service.end_of(delivery_id)
    assert first["state"] in {"published", "unchanged"}, first["message"]
    assert second["started_at"] >= first["completed_at"]


@pytest.mark.usefixtures("groups")
def test_a_group_can_be_mirrored_and_installed(site: Site, service: Service) -> None:
    assert service.perform(site.push(manifest("@development")))["state"] == "published"
    client = site.client()
    client.install("@development")
    assert "make" in client.names()


def test_packages_that_conflict_are_solved_alone(site: Site, service: Service) -> None:
    status = service.perform(site.push(manifest("nmap-7.92", "nmap-7.94")))
    assert status["state"] == "published", status
    assert "conflict" in status["outcome"]["warnings"][0]
    client = site.client()
    client.install("nmap-7.92")
    assert any(nevra.startswith("nmap-3:7.92") for nevra in client.installed())


# --- the endpoint -------------------------------------------------------------------------


def test_a_form_delivery_means_the_same(site: Site, service: Service) -> None:
    assert service.deliver(site.push(manifest("leaf55")), form=True).status_code == 202


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"action": "closed"}, "action closed"),
        ({"draft": True}, "draft"),
        ({"head_repository": "stranger/packages"}, "fork"),
        ({"head_repository": None}, "fork"),
        ({"base_ref": "experiment-7"}, "its base is experiment-7; the mirror follows main"),
    ],
)
def test_what_the_policy_leaves_out_is_ignored_with_the_reason(
    site: Site, service: Service, change: dict[str, object], reason: str
) -> None:
    reply = service.deliver(site.push(manifest("leaf55"), **change))
    assert (reply.status_code, reply.json()["command_return"]) == (200, "ignored")
    assert reason in reply.json()["reason"]


def test_a_ping_is_answered(site: Site, service: Service) -> None:
    reply = deliver(service.url, {"zen": "Keep it logically awesome."}, site.secret, event="ping")
    assert (reply.status_code, reply.json()["command_return"]) == (200, "pong")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_without_our_signature_nothing_else_is_looked_at(
    service: Service, content_type: str
) -> None:
    headers = {"Content-Type": content_type, "X-Hub-Signature-256": signature("other", b"{")}
    reply = requests.post(service.url, data=b"{", headers=headers, timeout=10)
    assert reply.status_code == 401
    assert reply.json() == {"command_return": "refused", "reason": "signature missing or wrong"}


@pytest.mark.parametrize("headers", [{}, {"X-Hub-Signature-256": ""}])
def test_no_signature_is_answered_like_a_wrong_one(
    service: Service, headers: dict[str, str]
) -> None:
    reply = requests.post(service.url, data=b"a=b", headers=headers, timeout=10)
    assert reply.status_code == 401
    assert reply.json() == {"command_return": "refused", "reason": "signature missing or wrong"}


def test_another_content_type_is_refused_with_the_two_that_are_taken(
    site: Site, service: Service
) -> None:
    headers = {"Content-Type": "text/xml", "X-Hub-Signature-256": signature(site.secret, b"<a/>")}
    reply = requests.post(service.url, data=b"<a/>", headers=headers, timeout=10)
    assert reply.status_code == 415
    assert "application/json or application/x-www-form-urlencoded" in reply.json()["reason"]


def test_a_bad_payload_names_its_field(site: Site, service: Service) -> None:
    payload = site.push("[]").payload()
    payload["pull_request"]["head"]["sha"] = "main"
    reply = deliver(service.url, payload, site.secret)
    assert reply.status_code == 400
    assert "pull_request.head.sha: found 'main'" in reply.json()["reason"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(service: Service) -> None:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + "0" * 64}
    with requests.Session() as session:
        request = requests.Request("POST", service.url, headers=headers).prepare()
        request.headers["Content-Length"] = str(MAX_BODY + 1)
        assert session.send(request, timeout=10).status_code == 413


def test_a_body_without_a_length_is_cut_off_at_the_limit(service: Service) -> None:
    def chunks() -> object:
        for _ in range(27):
            yield b"x" * 1024 * 1024

    headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    reply = requests.post(service.url, data=chunks(), headers=headers, timeout=30)  # type: ignore[arg-type]
    assert reply.status_code == 413


def test_the_health_page_answers(service: Service) -> None:
    base = service.url.partition("/ci_server")[0]
    assert requests.get(f"{base}/ui/", timeout=10).status_code == 404
    assert requests.get(f"{base}/healthz", timeout=10).json()["status"] == "ok"
    assert requests.get(f"{service.url}/nope", timeout=10).status_code == 404


def test_what_is_served_is_what_was_published(site: Site, service: Service) -> None:
    """The link, the file and the web agree."""
    root = site.mirror.host.root
    on_disk = hashlib.sha256((root / "repodata" / "repomd.xml").read_bytes()).hexdigest()
    served = requests.get(f"{site.mirror.web.url}repodata/repomd.xml", timeout=10).content
    assert hashlib.sha256(served).hexdigest() == on_disk
    assert (root / "repodata").is_symlink()
