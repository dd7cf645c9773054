"""Web and worker on ci_server: two accounts, each with its own secrets, and one store."""

from __future__ import annotations

import re

from lab.hosts.report import Report, expect
from lab.hosts.site import Site

WEB, WORKER = "gm_analytics_web", "gm_analytics"
UNITS = {"gm-analytics-web.service": WEB, "gm-analytics-worker.service": WORKER}
STORE, WORK = "/var/lib/gm_analytics", "/var/lib/gm_analytics_worker"
KEY_HOME = f"{WORK}/signing"
_ETC = "/etc/gm_analytics"
_READERS = {
    f"{_ETC}/config.yaml": {WEB, WORKER},
    f"{_ETC}/webhook_secret": {WEB},
    f"{_ETC}/github_token": {WORKER},
    f"{_ETC}/id_ed25519": {WORKER},
    f"{STORE}/updates.sqlite": {WEB, WORKER},
    "/etc/shadow": set[str](),
}
"""Which of the two may read what."""
_OLD = f"""
systemctl stop {" ".join(UNITS)}
mv {KEY_HOME} {STORE}/signing
rmdir {WORK}
chown -R {WORKER}:{WORKER} {STORE} {_ETC}/webhook_secret
chmod 0700 {STORE}
chmod 0600 {STORE}/updates.sqlite*
"""
"""Makes of the host what a release with one account left."""


def check(site: Site, report: Report) -> None:
    """Look at what each account may read, and how much each unit is exposed to."""
    with report.step("what each account on ci_server can read") as seen:
        seen(readers(site))
    with report.step("gm-analytics check, as each account") as seen:
        seen("; ".join(checked(site, account) for account in (WEB, WORKER)))
    with report.step("exposure of the units on ci_server") as seen:
        seen("; ".join(exposure(site, unit) for unit in UNITS))


def readers(site: Site) -> str:
    """Try each secret as each account; each must run the unit that it is for."""
    ci = site["ci_server"]
    for unit, account in UNITS.items():
        runs = ci.do("systemctl", "show", "-P", "User", unit).last
        expect(runs == account, f"{unit} runs as {runs}")
    for path, allowed in _READERS.items():
        for account in (WEB, WORKER):
            done = ci.do("runuser", "-u", account, "--", "cat", path, check=False)
            right = done.code == 0 if account in allowed else "Permission denied" in done.text
            expect(right, f"cat {path} as {account}: exit {done.code}: {done.last[:80]}")
    listed = ci.do("sh", "-c", f"stat -c '%a %G' {STORE} {STORE}/updates.sqlite*").text
    modes = set(listed.splitlines())
    expect(modes == {f"2770 {WORKER}", f"660 {WORKER}"}, f"{STORE}: {modes}")
    work = ci.do("runuser", "-u", WEB, "--", "ls", WORK, check=False).text
    expect("Permission denied" in work, f"ls {WORK} as {WEB}: {work}")
    return "web: webhook secret, store; worker: key, token, store; neither the other's"


def checked(site: Site, account: str) -> str:
    """Run `gm-analytics check` as an account; it must find nothing wrong."""
    command = ("runuser", "-u", account, "--", "/opt/gm_analytics/venv/bin/gm-analytics", "check")
    said = site["ci_server"].do(*command).text
    hidden = [
        line.split(":")[0].split(" ", 3)[-1] for line in said.splitlines() if "not seen" in line
    ]
    expect(hidden, f"check as {account} sees everything: {said}")
    return f"{account} does not see: {', '.join(hidden)}"


def exposure(site: Site, unit: str) -> str:
    """Give what `systemd-analyze security` says of a unit: 0 is best, 10 worst."""
    said = site["ci_server"].do("systemd-analyze", "security", "--no-pager", unit, check=False)
    found = re.search(r"exposure level for \S+: ([\d.]+)", said.text)
    expect(found and float(found[1]) < 2.5, f"{unit}: {said.last}")  # noqa: PLR2004
    return f"{unit} {found[1] if found else ''}"


def upgrade(site: Site) -> str:
    """Converge a host that a release with one account left; needs `sign`."""
    ci = site["ci_server"]
    ci.do("sh", "-ec", _OLD)
    site.converge("ci_server", sign=True)
    site.converge_again("ci_server", sign=True)
    left = ci.do("ls", STORE).text
    expect("signing" not in left, f"{STORE}: {left}")
    readers(site)
    return f"store and secrets are shared and parted, the signing key is in {KEY_HOME}"
