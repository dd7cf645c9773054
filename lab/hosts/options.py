"""What a role does only when asked to, by real Chef: asked for, seen, and taken back."""

from __future__ import annotations

import hashlib
import io
import tarfile

from lab.hosts.accounts import KEY_HOME
from lab.hosts.report import expect
from lab.hosts.site import REPOSITORY_ID, REPOSITORY_URL, Site

_FOREIGN = "/etc/yum.repos.d/foreign.repo"
_FOREIGN_TEXT = "[foreign]\nname=Foreign\nbaseurl=http://foreign.invalid/\nenabled=1\n"

# ngrok's agent, which cannot be had here: it takes the configuration, and stays.
_AGENT = '#!/bin/sh\n[ "$1" = config ] || exec sleep infinity\n'
_UNIT = "ngrok.service"

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


def ngrok(site: Site) -> str:
    """Give the CI server an authtoken: ngrok's unit runs; take it back: nothing is left of it."""
    ci = site["ci_server"]
    given = archive(site)
    site.converge("ci_server", ngrok=given)
    site.converge_again("ci_server", ngrok=given)
    said = ci.do("systemd-analyze", "verify", f"/etc/systemd/system/{_UNIT}").text.strip()
    expect(not said, f"systemd-analyze verify: {said}")
    states = [
        ci.do("systemctl", ask, _UNIT, check=False).last for ask in ("is-active", "is-enabled")
    ]
    expect(states == ["active", "enabled"], f"{_UNIT}: {states}")
    told = ci.do("cat", "/etc/ngrok.yml").text
    expect("inspect_db_size: -1" in told, "/etc/ngrok.yml leaves the inspector on")
    mode = ci.do("stat", "-c", "%a %U %G", "/etc/ngrok.yml").last
    expect(mode == "640 root ngrok", f"/etc/ngrok.yml: {mode}")
    site.converge("ci_server")
    site.converge_again("ci_server")
    left = ci.do(
        "sh", "-c", f"ls /etc/ngrok.yml /etc/systemd/system/{_UNIT} 2>/dev/null", check=False
    )
    expect(not left.text, f"still there: {left.text}")
    return "from an archive of the given checksum, under its unit; gone without an authtoken"


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
