"""What a role does only when asked to, by real Chef: asked for, seen, and taken back."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

import requests

from lab import ngrok as agent
from lab.hosts import network
from lab.hosts.accounts import KEY_HOME
from lab.hosts.report import expect
from lab.hosts.site import REPOSITORY_ID, REPOSITORY_URL, SERVICE, Site
from lab.processes import wait_for

_FOREIGN = "/etc/yum.repos.d/foreign.repo"
_FOREIGN_TEXT = "[foreign]\nname=Foreign\nbaseurl=http://foreign.invalid/\nenabled=1\n"

# ngrok's agent, which cannot be had here.
_AGENT = "#!/usr/bin/python3\n" + Path(agent.__file__).read_text("utf-8")
_UNIT = "ngrok.service"
_TUNNEL = "gm-analytics-tunnel.service"

_PUBLIC_NAME = "RPM-GPG-KEY-gm-mirror"


def exclusive(site: Site) -> str:
    """Make the mirror the client's only repository, and undo it; no file of others may change."""
    client = site["mirror_client"]
    client.do("sh", "-c", f"cat > {_FOREIGN}", stdin=_FOREIGN_TEXT)
    for asked, wanted in ((True, {REPOSITORY_ID}), (False, {REPOSITORY_ID, "foreign"})):
        site.converge("mirror_client", exclusive=asked)
        site.converge_again("mirror_client", exclusive=asked)
        found = _repositories(site)
        expect(found == wanted, f"exclusive {asked}: dnf sees {found}")
    kept = client.do("cat", _FOREIGN).text
    expect(kept == _FOREIGN_TEXT, f"{_FOREIGN} became {kept!r}")
    client.do("rm", _FOREIGN)
    return "on: dnf sees the mirror alone; off: all of them, none of their files changed"


def _repositories(site: Site) -> set[str]:
    said = site["mirror_client"].do("dnf", "--quiet", "--noplugins", "--releasever=9", "repolist")
    return {line.split()[0] for line in said.text.splitlines()[1:]}


def archive(site: Site) -> dict[str, str]:
    """Have the outside serve an archive of an agent; give ngrok's attributes for it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("ngrok")
        member.size, member.mode = len(_AGENT), 0o755
        tar.addfile(member, io.BytesIO(_AGENT.encode()))
    (site.outside.upstream.root / "ngrok.tgz").write_bytes(packed.getvalue())
    return {
        "authtoken": "a token of the lab",
        "archive_url": f"{site.outside.upstream_url}ngrok.tgz",
        "archive_checksum": hashlib.sha256(packed.getvalue()).hexdigest(),
    }


def lead(site: Site) -> None:
    """Have GitHub's deliveries go through the CI host's tunnel, at the address that it has now."""
    hooks = site.outside.github.hooks

    def reach(url: str) -> str | None:
        parts, there = urlsplit(url), urlsplit(public_address())
        local = parts._replace(scheme="http", netloc=urlsplit(SERVICE).netloc)
        return local.geturl() if parts.hostname == there.hostname else None

    hooks.inside, hooks.reach = lambda: network.inside(site.namespace), reach


def public_address() -> str:
    """Give the address that the tunnel has now; this thread is on the CI host's network."""
    try:
        said = requests.get("http://127.0.0.1:4040/api/tunnels", timeout=5).json()
    except requests.ConnectionError:
        return ""
    return str(said["tunnels"][0]["public_url"])


def registered(site: Site) -> str:
    """Wait until GitHub has the tunnel's address of now; give it."""

    def there() -> str:
        with network.inside(site.namespace):
            public = public_address()
        hooks = site.outside.github.hooks.hooks
        if not (public and hooks and hooks[0].config["url"].startswith(f"{public}/")):
            return ""
        expect(len(hooks) == 1, f"webhooks: {[hook.config['url'] for hook in hooks]}")
        return public if hooks[0].deliveries[0]["status_code"] == requests.codes.ok else ""

    return wait_for(there, "the tunnel's address at GitHub", 90)


def ngrok(site: Site) -> str:
    """Give the CI server an authtoken: ngrok's unit runs, and GitHub has its address."""
    ci = site["ci_server"]
    given = archive(site)
    lead(site)
    site.converge("ci_server", ngrok=given)
    site.converge_again("ci_server", ngrok=given)
    for unit in (_UNIT, _TUNNEL):
        said = ci.do("systemd-analyze", "verify", f"/etc/systemd/system/{unit}").text.strip()
        expect(not said, f"systemd-analyze verify: {said}")
        asked = ("is-active", "is-enabled")
        states = [ci.do("systemctl", ask, unit, check=False).last for ask in asked]
        expect(states == ["active", "enabled"], f"{unit}: {states}")
    told = ci.do("cat", "/etc/ngrok.yml").text
    expect("inspect_db_size: -1" in told, "/etc/ngrok.yml leaves the inspector on")
    mode = ci.do("stat", "-c", "%a %U %G", "/etc/ngrok.yml").last
    expect(mode == "640 root ngrok", f"/etc/ngrok.yml: {mode}")
    return f"from an archive of the given checksum; GitHub delivers to {registered(site)}"


def reboot(site: Site, number: int, name: str) -> str:
    """Boot the CI host again; the next pull request arrives through the tunnel's new address."""
    before = registered(site)
    site["ci_server"].stop()
    site["ci_server"].boot()
    after = registered(site)
    expect(after != before, f"the tunnel's address is {before} still")
    manifest = json.dumps([{"package_name": name, "installation_commands": name}])
    pull = site.push(manifest, f"change-{number}", number)
    hooks = site.outside.github.hooks
    hooks.send("pull_request", pull.payload())
    delivery = hooks.hooks[0].deliveries[0]
    expect(delivery["status_code"] == requests.codes.accepted, f"delivery: {delivery}")
    return f"{before} became {after}; pull request {number}: 202, no hand on it"


def no_ngrok(site: Site) -> str:
    """Take the authtoken back: nothing is left of ngrok, nor of what told GitHub."""
    ci = site["ci_server"]
    site.converge("ci_server")
    site.converge_again("ci_server")
    left = ci.do(
        "sh",
        "-c",
        f"cd /etc/systemd/system; ls /etc/ngrok.yml {_UNIT} {_TUNNEL} 2>/dev/null",
        check=False,
    )
    expect(not left.text, f"still there: {left.text}")
    return "its units and its configuration are gone"


def signing(site: Site) -> str:
    """Have the CI server make a key for the metadata, once, and keep it to itself."""
    ci = site["ci_server"]
    site.converge("ci_server", sign=True)
    site.converge_again("ci_server", sign=True)
    mode = ci.do("stat", "-c", "%a %U", KEY_HOME).last
    expect(mode == "700 gm_analytics", f"{KEY_HOME}: {mode}")
    home = ("gpg", f"--homedir={KEY_HOME}", "--batch", "--with-colons")
    listed = ci.do("runuser", "-u", "gm_analytics", "--", *home, "--list-secret-keys").text
    keys = [line for line in listed.splitlines() if line.startswith("sec:")]
    expect(len(keys) == 1, f"secret keys: {keys}")
    return f"one key in {KEY_HOME}, {mode}"


def check_metadata(site: Site) -> None:
    """Have the client check the metadata's signature, and the packages' as before."""
    keys = f"{REPOSITORY_URL}{_PUBLIC_NAME} {site.outside.gpgkey_url}"
    site.converge("mirror_client", repo_gpgcheck=True, gpgkey=keys)
    site.converge_again("mirror_client", repo_gpgcheck=True, gpgkey=keys)
