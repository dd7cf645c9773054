"""What `make lab` shows, step by step, each a row of the table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import requests

from lab.hosts import accounts, network, options
from lab.hosts.chef import NODE, attempt
from lab.hosts.machine import Machine
from lab.hosts.report import Report, expect
from lab.hosts.shell import Output, run
from lab.hosts.site import (
    MIRROR_NAME,
    NAMES,
    POOL,
    RESERVED,
    STATIC,
    Pipeline,
    Site,
    leftovers,
    mac,
)
from lab.processes import wait_for

UNITS = ("gm-analytics-web.service", "gm-analytics-worker.service")
REFRESH = "gm-mirror-refresh"
DHCP = {"isc": "isc-dhcp-server.service", "kea": "kea-dhcp4-server.service"}
PROGRAM = {"isc": "dhcpd", "kea": "kea-dhcp4"}
LEASES = {"isc": "/var/lib/dhcp/dhcpd.leases", "kea": "/var/lib/kea/kea-leases4.csv"}
SYSTEM = "/srv/el9"
"""The empty system on the client into which packages are installed: the host itself is Debian."""


def bring_up(site: Site, report: Report) -> None:
    """Boot and converge the four hosts in their order, each twice."""
    for name in NAMES:
        boot(site, report, name)
        converge_twice(site, report, name)


def boot(site: Site, report: Report, name: str) -> None:
    """Make a host anew and boot it; it must come up with an address."""
    with report.step(f"{name}: boot") as seen:
        site[name].create()
        site[name].boot()
        if name == "dhcp_server":
            add_interface(site[name])
        seen(address(site, name))


def add_interface(machine: Machine) -> None:
    """Give a host one more interface, as with Vagrant: DHCP must not be served there."""
    for command in (
        "ip link add eth0 type veth peer name eth0-peer",
        "ip address add 10.0.2.15/24 dev eth0",
        "ip link set eth0-peer up",
        "ip link set eth0 up",
    ):
        machine.do(*command.split())


def address(site: Site, name: str) -> str:
    """Give a host's address, which must be its own, its reservation, or one of the pool."""
    found = wait_for(site[name].addresses, f"an address of {name}", 20) or ""
    plain = found.partition("/")[0]
    fixed = STATIC.get(name) or RESERVED.get(name)
    low, high = (int(end.rpartition(".")[2]) for end in POOL)
    pooled = plain.startswith("192.168.131.") and low <= int(plain.rpartition(".")[2]) <= high
    expect(plain == fixed if fixed else pooled, f"host {name}: has the address {found or 'none'}")
    kind = "static" if name in STATIC else "reserved" if fixed else "from the pool"
    return f"{found} ({kind})"


def converge_twice(site: Site, report: Report, name: str) -> None:
    """Converge a host; a second run must change nothing."""
    with report.step(f"{name}: Chef, first run") as seen:
        seen(site.converge(name))
    with report.step(f"{name}: Chef, second run") as seen:
        seen(site.converge_again(name))


def check_hosts(site: Site, report: Report) -> None:
    """Look at what a person would look at: leases, units, what is failed."""
    with report.step("leases of our DHCP server") as seen:
        seen(leases(site))
    with report.step("units on ci_server") as seen:
        ci = site["ci_server"]
        files = [f"/etc/systemd/system/{unit}" for unit in UNITS]
        said = ci.do("systemd-analyze", "verify", *files).text.strip()
        expect(not said, f"systemd-analyze verify: {said}")
        states = [ci.do("systemctl", "is-active", unit, check=False).last for unit in UNITS]
        expect(states == ["active"] * len(UNITS), f"ci_server: {dict(zip(UNITS, states))}")  # noqa: B905
        wait_for(site.healthy, "GET /healthz", 30)
        told = "; ".join(notified(ci, unit) for unit in UNITS)
        seen(f"active, systemd-analyze verify silent, /healthz 200; systemd says: {told}")
    with report.step("refresh timer of mirror_client") as seen:
        client = site["mirror_client"]
        state = client.do("systemctl", "is-active", f"{REFRESH}.timer", check=False).last
        expect(state == "active", f"mirror_client: {REFRESH}.timer is {state}")
        client.do("systemctl", "start", f"{REFRESH}.service")
        seen("active; its service refreshes the mirror's metadata")
    with report.step("failed units on all hosts") as seen:
        failed = {name: units for name in NAMES if (units := site[name].failed_units())}
        expect(not failed, f"failed: {failed}")
        seen("0")
    with report.step("secrets and keys on ci_server") as seen:
        seen(check_keys(site))


def notified(machine: Machine, unit: str) -> str:
    """Give what a unit says of itself; systemd must have heard that it is ready, and lives."""
    asked = ("Type", "StatusText", "WatchdogUSec", "WatchdogTimestampMonotonic", "NRestarts")
    said = machine.do("systemctl", "show", unit, *(f"--property={name}" for name in asked)).text
    found = dict(line.split("=", 1) for line in said.splitlines())
    alive = int(found["WatchdogTimestampMonotonic"] or 0) > 0
    good = found["Type"] == "notify" and found["WatchdogUSec"] != "0" and alive
    expect(good and found["NRestarts"] == "0", f"{unit}: {found}")
    return found["StatusText"]


def leases(site: Site) -> str:
    """Read the leases that the running DHCP server gave; both clients must hold one."""
    server = site["dhcp_server"]
    active = server.do("systemctl", "is-active", DHCP[site.backend], check=False).last
    expect(active == "active", f"dhcp_server: {DHCP[site.backend]} is {active}")
    sockets = server.do("ss", "--packet", "--numeric", "--processes").text.splitlines()
    served = {line.split()[3] for line in sockets if f'"{PROGRAM[site.backend]}"' in line}
    expect(served == {f"*:{network.INTERFACE}"}, f"dhcp_server: serves {served}: {sockets}")
    text = server.do("cat", LEASES[site.backend]).text
    client = site["mirror_client"].addresses().partition("/")[0]
    expect(client in text, f"dhcp_server: no lease of {client} in {LEASES[site.backend]}")
    for name in ("ci_server", "mirror_client"):
        known = site[name].do("sh", "-c", "cat /var/lib/dhcp/dhclient*.leases").text
        expect(f"dhcp-server-identifier {STATIC['dhcp_server']}" in known, f"{name}: no lease")
    held = f"ci_server {RESERVED['ci_server']}, mirror_client {client}"
    return f"{site.backend}, on {network.INTERFACE} alone: {held}"


def check_keys(site: Site) -> str:
    """See that the private key is on the CI host alone, and secrets are the service's alone."""
    ci = site["ci_server"]
    secret = "/etc/gm_analytics/webhook_secret"  # noqa: S105 - a path
    modes = ci.do("stat", "-c", "%a %U", secret, "/etc/gm_analytics/id_ed25519").text.split("\n")
    expect(modes[:2] == ["600 gm_analytics_web", "600 gm_analytics"], f"ci_server: {modes}")
    places = ci.do("grep", "-rlsF", site.secret, "/etc", "/opt", "/var", check=False).text
    known = {secret, NODE}
    expect(set(places.split()) == known, f"ci_server: the secret lies in {places.split()}")
    shared = ci.do("sh", "-c", "cat /etc/gm_keys/*").text
    expect("PRIVATE" not in shared, "a private key lies in the shared directory")
    target = f"mirror@{STATIC['mirror_server']}"
    key = "/etc/gm_analytics/id_ed25519"
    options = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new")
    command = ("ssh", *options, "-o", "UserKnownHostsFile=/dev/null", "-i")
    with network.inside(network.namespace("mirror_client")):
        login = run(*command, f"{ci.merged}{key}", target, "true", check=False).text
    expect("Permission denied" in login, f"the key was taken from another address: {login}")
    forward = ci.do(*command, key, "-W", "127.0.0.1:80", target, check=False).text
    expect("administratively prohibited" in forward, f"the key forwards: {forward}")
    line = site["mirror_server"].do("/usr/libexec/gm-mirror-authorized-keys").text
    expect(line.startswith(f'restrict,from="{RESERVED["ci_server"]}" ssh-ed25519 '), line)
    with_address = f"user=mirror,host=ci-server,addr={RESERVED['ci_server']}"
    rules = site["mirror_server"].do("/usr/sbin/sshd", "-T", "-C", with_address).text.splitlines()
    missing = {"passwordauthentication no", "authenticationmethods publickey"} - set(rules)
    expect(not missing, f"mirror_server: sshd does not say {missing}")
    return "0600, private half on ci_server alone; restricted, no password, no other address"


def deliver(site: Site, report: Report, number: int, *names: str) -> None:
    """Follow a pull request from its signed delivery to the package on the client."""
    publish(site, report, number, *names)
    with report.step(f"pull request {number}: dnf install on mirror_client") as seen:
        seen(install(site, *names))


def publish(site: Pipeline, report: Report, number: int, *names: str) -> None:
    """Follow a pull request from its signed delivery to the end of its update."""
    manifest = json.dumps([{"package_name": n, "installation_commands": n} for n in names])
    wanted = ", ".join(names)
    with report.step(f"pull request {number} ({wanted}): delivery") as seen:
        wait_for(site.healthy, "GET /healthz", 30)
        pull = site.push(manifest, f"change-{number}", number)
        reply = site.deliver(pull)
        expect(reply.status_code == requests.codes.accepted, f"{reply.status_code} {reply.text}")
        update = str(reply.json()["update_id"])
        seen(f"{reply.status_code} {reply.json()['command_return']}")
    with report.step(f"pull request {number}: published over SSH") as seen:
        status = site.end_of(update)
        expect(status["state"] == "published", f"{status['state']}: {status['message']}")
        seen(f"{status['message']}; on GitHub: {commit_status(site, pull.head_sha)}")


def commit_status(site: Pipeline, sha: str) -> str:
    """Wait for the commit status that ends an update; it must be a success."""

    def ended() -> str | None:
        statuses = site.outside.github.statuses.get(sha, [])
        state = str(statuses[0]["state"]) if statuses else "pending"
        return None if state == "pending" else state

    state = wait_for(ended, f"a commit status of {sha} other than pending", site.patience) or ""
    expect(state == "success", f"commit status {state}")
    return state


def install(site: Site, *names: str) -> str:
    """Install packages on the client from the mirror alone; give what rpm says is there."""
    dnf(site, "install", *names)
    said = site["mirror_client"].do("rpm", f"--root={SYSTEM}", "-q", *names).text
    return f"{said} from http://{MIRROR_NAME}/repo/"


def dnf(site: Site, *arguments: str, check: bool = True) -> Output:
    """Run dnf on the client, for a system that knows the mirror alone."""
    # Only the mirror's repository file, which the cookbook wrote, is on the host.
    command = (
        "dnf", "--assumeyes", "--noplugins", "--releasever=9", f"--installroot={SYSTEM}",
        "--setopt=reposdir=/etc/yum.repos.d", "--setopt=install_weak_deps=0",
        "--setopt=cachedir=/var/cache/dnf",
    )  # fmt: skip
    return site["mirror_client"].do(*command, *arguments, check=check)


def check_mirror(site: Site, report: Report) -> None:
    """Look at what the mirror's web server says to a client, of a preview too."""
    with report.step("HTTP of the mirror, from mirror_client") as seen:
        url = f"http://{MIRROR_NAME}/repo"
        client = site["mirror_client"]
        preview = (
            "cd /var/repo; mkdir -p .previews/lab previews; ln -s ../.previews/lab previews;"
            "cp -r repodata/ .previews/lab/"
        )
        site["mirror_server"].do("sh", "-c", preview)
        for place in ("", "/previews/lab"):
            head = client.do("curl", "-sSI", f"{url}{place}/repodata/repomd.xml").text.lower()
            expect("200 ok" in head and "cache-control: no-cache" in head, head)
        codes = [
            client.do("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/{path}").text
            for path in (".lock", ".staging/", ".previews/lab/repodata/repomd.xml", "")
        ]
        expect(codes == ["404", "404", "404", "200"], f"{url}: {codes}")
        site["mirror_server"].do("rm", "-r", "/var/repo/previews/lab", "/var/repo/.previews/lab")
        seen("repomd.xml, live and of a preview, no-cache; dot names 404; listing 200")


def recreate(site: Site, report: Report, name: str) -> None:
    """Destroy one host alone; provisioning again must make it work with no other hand."""
    with report.step(f"{name}: destroyed") as seen:
        site[name].destroy()
        expect(site[name].leader() is None, f"{name} still runs")
        seen("its disk is gone, and its keys with it")
    boot(site, report, name)
    converge_twice(site, report, name)


def change_to_kea(site: Site, report: Report) -> None:
    """Have Kea serve the network instead, on a new DHCP host; the clients ask again."""
    site.backend = "kea"
    boot(site, report, "dhcp_server")
    converge_twice(site, report, "dhcp_server")
    for name in ("ci_server", "mirror_client"):
        with report.step(f"{name}: new lease, from Kea") as seen:
            # Released, forgotten and asked for again, as after a reboot.
            forget = f"ifdown {network.INTERFACE}; rm -f /var/lib/dhcp/dhclient*.leases"
            site[name].do("sh", "-c", f"{forget}; ifup {network.INTERFACE}")
            seen(address(site, name))
    with report.step("leases of Kea") as seen:
        seen(leases(site))


def wrong_attributes(site: Site, report: Report) -> None:
    """Each kind of wrong attribute must stop the converge with a line that names it."""
    refused(site, report, "range outside the subnet", "dhcp_server", r"pool\.last.*192\.168\.132",
            pool={"first": POOL[0], "last": "192.168.132.10"})  # fmt: skip
    refused(site, report, "static address in the pool", "dhcp_server", r"mirror_server.*pool",
            static_addresses={"mirror_server": "192.168.131.160"})  # fmt: skip
    refused(site, report, "reservation in the pool", "dhcp_server", r"reservations\.ci.*pool",
            reservations={"ci": {"mac": mac("ci_server"), "address": POOL[0]}})  # fmt: skip
    secret = "/etc/gm_analytics/webhook_secret"  # noqa: S105 - a path
    ci = site["ci_server"]
    refused(site, report, "missing secret", "ci_server", r"webhook_secret.*openssl rand",
            before=lambda: ci.do("mv", secret, f"{secret}.kept"),
            after=lambda: ci.do("mv", f"{secret}.kept", secret),
            webhook_secret=None)  # fmt: skip
    client = site["mirror_client"]
    release = "/usr/lib/os-release"
    strange = "printf 'ID=opensuse-leap\\nVERSION_ID=15.6\\n'"
    refused(site, report, "unknown platform", "mirror_client", r"found suse 15\.6",
            before=lambda: client.do(
                "sh", "-c", f"cp {release} {release}.kept; {strange} > {release}"
            ),
            after=lambda: client.do("mv", f"{release}.kept", release))  # fmt: skip


def refused(
    site: Site,
    report: Report,
    kind: str,
    name: str,
    expected: str,
    *,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
    **changes: Any,
) -> None:
    """Converge with something wrong; the error line must match."""
    with report.step(f"wrong on purpose: {kind}") as seen:
        before()
        try:
            done = attempt(site[name], site.node(name, **changes))
        finally:
            after()
        expect(done.updated is None, f"{name}: converged: {done}")
        expect(re.search(expected, done.error), f"{name}: another error: {done.error}")
        seen(done.error)


def turn_options(site: Site, report: Report) -> None:
    """Ask a role for what it does not do by itself, and take it back."""
    with report.step("mirror_client: exclusive, on and off") as seen:
        seen(options.exclusive(site))
    with report.step("ci_server: ngrok, and the webhook registered") as seen:
        seen(options.ngrok(site))
    with report.step("ci_server: rebooted, with a new address of ngrok's") as seen:
        seen(options.reboot(site, 6, "tree"))
    with report.step("ci_server: without ngrok's authtoken") as seen:
        seen(options.no_ngrok(site))
    refused(site, report, "ngrok's checksum", "ci_server", r"[Cc]hecksum",
            ngrok={**options.archive(site), "archive_checksum": "0" * 64})  # fmt: skip


def sign_metadata(site: Site, report: Report) -> None:
    """Sign what the mirror serves; a client that checks takes it, and nothing else."""
    with report.step("ci_server: a key for the metadata") as seen:
        seen(options.signing(site))
    with report.step("ci_server: of a release with one account, converged") as seen:
        seen(accounts.upgrade(site))
    deliver(site, report, 5, "leaf05")
    with report.step("mirror_client: repo_gpgcheck") as seen:
        options.check_metadata(site)
        seen(install(site, "leaf05"))
    with report.step("metadata changed on the mirror: refused by the client") as seen:
        repomd = "/var/repo/repodata/repomd.xml"
        change = ("sed", "-i", "s/<revision>/<revision>9/", repomd)
        site["mirror_server"].do(*change)
        done = dnf(site, "--refresh", "makecache", check=False)
        refused = re.search(r".*signature verification error.*", done.text)
        expect(refused, f"dnf: {done}")
        seen(refused[0].strip() if refused else "")


def tell(site: Site, report: Report) -> None:
    """Everything, in order. Raises LabError at the first step that fails."""
    bring_up(site, report)
    check_hosts(site, report)
    deliver(site, report, 1, "tree")
    accounts.check(site, report)
    check_mirror(site, report)
    recreate(site, report, "mirror_server")
    deliver(site, report, 2, "tree", "nmap")
    recreate(site, report, "ci_server")
    deliver(site, report, 3, "make")
    change_to_kea(site, report)
    deliver(site, report, 4, "autoconf")
    wrong_attributes(site, report)
    turn_options(site, report)
    sign_metadata(site, report)
    with report.step("failed units on all hosts, at the end") as seen:
        failed = {name: units for name in NAMES if (units := site[name].failed_units())}
        expect(not failed, f"failed: {failed}")
        seen("0")


def clean(report: Report, began: float) -> None:
    """Look whether everything is gone."""
    with report.step("cleaned up") as seen:
        left = leftovers()
        expect(not left, f"still there: {left}")
        seen(
            f"no process, namespace, mount or cgroup left; {time.monotonic() - began:.0f} s in all"
        )
