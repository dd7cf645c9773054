"""The one Debian root filesystem under all hosts, built once and kept in `.cache/hosts/`.

The hosts have no way out, so everything that a cookbook installs from Debian is in it, and so is
Chef Infra Client; the service's Python packages lie beside it as a directory of wheels.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from lab.hosts.shell import CACHE, CHECKOUT, LOGS, run, say

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "ifupdown", "isc-dhcp-client", "iproute2",
    "iputils-ping", "netbase", "openssh-server", "sudo", "curl", "ca-certificates", "procps",
    "nginx", "dnf", "createrepo-c", "rpm", "cpio", "gnupg",
    "isc-dhcp-server", "kea-dhcp4-server",
    "python3", "python3-venv", "python3-pip",
    "ruby", "ruby-dev", "ruby-shadow", "build-essential", "libffi-dev",
)  # fmt: skip
CHEF = "18.11.11"
"""Chef Infra Client; the same code as Cinc, which is what the Vagrant lab installs."""

SUITE_ENVIRONMENT = "GM_ANALYTICS_SUITE"
OFF = ("nginx", "ssh", "kea-dhcp4-server")
"""Services that Debian's packages enable; what runs on a host is the cookbooks' to say.

isc-dhcp-server, a script of System V, is masked instead: Chef cannot see it disabled.
"""

_WRAPPER = """#!/bin/sh
export GEM_HOME=/opt/chef GEM_PATH=/opt/chef CHEF_LICENSE=accept-no-persist
export RUBYLIB=$(dirname "$(dpkg -L ruby-shadow | grep 'shadow[.]so$' | head -n 1)")
exec /opt/chef/bin/chef-solo "$@"
"""

WHEELS = "/opt/wheels"
"""Where a host sees the directory of wheels."""
_PIP = f"[global]\nno-index = true\nfind-links = {WHEELS}\ndisable-pip-version-check = true\n"

# Without the folder of gems they come from RubyGems. `gem install --local` finds what a gem
# needs in the current folder only.
_CUSTOMIZE = """set -eu
export GEM_HOME=/opt/chef GEM_PATH=/opt/chef HOME=/root
if [ -d /var/tmp/gems ]; then
    cd /var/tmp/gems
    gem install --local --no-document chef-bin-*.gem
else
    gem install --no-document chef-bin:{chef}
fi
cd /
rm -rf /var/tmp/gems /opt/chef/cache
for unit in {off}; do systemctl disable "$unit" 2>/dev/null || :; done
systemctl mask isc-dhcp-server.service getty.target console-getty.service \\
    systemd-networkd.service systemd-timesyncd.service apt-daily.timer \\
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer >/dev/null 2>&1
rm -f /etc/ssh/ssh_host_* /etc/machine-id /etc/hostname
: > /etc/machine-id
printf 'source /etc/network/interfaces.d/*\\nauto lo\\niface lo inet loopback\\n' \\
    > /etc/network/interfaces
rm -f /var/lib/dhcp/*.leases
useradd --create-home --shell /bin/bash vagrant
"""


def suite() -> str:
    """Give the Debian suite of the hosts: the outer machine's, unless the environment says."""
    chosen = os.environ.get(SUITE_ENVIRONMENT)
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    if not chosen and (not found or "ID=debian" not in release.splitlines()):
        return "bookworm"
    return chosen or (found[1] if found else "")


def gems() -> Path | None:
    """Give the folder of gem files, or None: then they come from RubyGems.

    Raises:
        LabError: neither can be had; it says what to do.

    """
    said = run(CHECKOUT / "lab" / "gems").text.strip()
    return Path(said) if said else None


def build(name: str = "root", more: tuple[str, ...] = (), then: str = "") -> Path:
    """Give the root filesystem; make it when there is none for these packages and this suite.

    One of another `name` has `more` packages, and the script `then` was run in it at the end.
    """
    packages = (*PACKAGES, *more)
    script = _CUSTOMIZE.replace("{chef}", CHEF).replace("{off}", " ".join(OFF)) + then
    key = key_of([suite(), _WRAPPER, script, _PIP, *packages])
    root = CACHE / f"{name}-{suite()}-{key}"
    if root.exists():
        return root
    say(f"building the root filesystem ({suite()}, about three minutes, once)")
    for old in CACHE.glob(f"{name}-{suite()}-*"):
        remove(old)
    new = root.with_suffix(".new")
    remove(new)
    CACHE.mkdir(parents=True, exist_ok=True)
    _bootstrap(new, packages, script)
    wrapper = new / "usr/local/bin/chef-solo"
    wrapper.write_text(_WRAPPER, encoding="utf-8")
    wrapper.chmod(0o755)
    _isolate(new)
    new.rename(root)
    return root


def _isolate(root: Path) -> None:
    """Forget the outer machine: proxies, sources, name servers; pip takes the wheels."""
    etc = root / "etc"
    (etc / "apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    for place in (etc / "apt").glob("sources.list*"):
        remove(place) if place.is_dir() else place.unlink()
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").touch()
    (etc / "pip.conf").write_text(_PIP, encoding="utf-8")


def _bootstrap(target: Path, packages: Iterable[str], text: str) -> None:
    script = CACHE / "customize.sh"
    script.write_text(text, encoding="utf-8")
    hooks = [f'upload "{script}" /var/tmp/customize.sh']
    if folder := gems():
        hooks.append(f'mkdir -p "$1/var/tmp/gems"; cp "{folder}"/*.gem "$1/var/tmp/gems/"')
    hooks += ['chroot "$1" sh /var/tmp/customize.sh', 'rm "$1/var/tmp/customize.sh"']
    run(
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        f"--include={','.join(packages)}",
        *(f"--aptopt={line}" for line in apt_options()),
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        *(f"--customize-hook={hook}" for hook in hooks),
        suite(),
        target,
        *sources(suite()),
        log=LOGS / "rootfs.log",
    )


def apt_options() -> list[str]:
    """Give the outer machine's settings on how packages are fetched, a proxy for example."""
    dumped = run("apt-config", "dump").text.splitlines()
    wanted = re.compile(r"^Acquire::(https?|Check)\S* \"[^\"]+\";$")
    found = [line.rstrip(";") for line in dumped if wanted.match(line)]
    return ['Acquire::Languages "none"', *found]


def sources(codename: str) -> list[Path]:
    """Give the outer machine's Debian sources of this suite; none means mmdebstrap's own."""
    etc = Path("/etc/apt")
    candidates = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    texts = {path: path.read_text("utf-8") for path in candidates if path.is_file()}
    debian = re.compile(rf"debian\S*\s.*\b{codename}\b|^Suites:.*\b{codename}(\s|$)", re.MULTILINE)
    return [
        path
        for path, text in texts.items()
        if path.suffix in {".list", ".sources"}
        and debian.search(text)
        and ("debian-archive" in text or "signed-by" not in text.lower())
    ]


def wheels(root: Path) -> Path:
    """Give a directory with the service's Python packages for the hosts' Python."""
    requirements = CHECKOUT / "requirements.txt"
    pyproject = CHECKOUT / "pyproject.toml"
    builds = re.findall(r'"(setuptools[^"]*)"', pyproject.read_text(encoding="utf-8"))[:1]
    python = _python(root)
    key = key_of([python, requirements.read_text(encoding="utf-8"), *builds])
    place = CACHE / f"wheels-{key}"
    if place.exists():
        return place
    say(f"fetching the service's Python packages for Python {python}")
    new = place.with_suffix(".new")
    remove(new)
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:",
        f"--python-version={python}", "--implementation=cp",
        "--dest", new, "-r", requirements, *builds, "pip", "wheel",
        log=LOGS / "wheels.log",
    )  # fmt: skip
    new.rename(place)
    return place


def _python(root: Path) -> str:
    say_version = 'import sys; print("%d.%d" % sys.version_info[:2])'
    return run("chroot", root, "/usr/bin/python3", "-c", say_version).last


def key_of(parts: Iterable[str]) -> str:
    """Give a short name for what is made of these parts and of nothing else."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def remove(tree: Path) -> None:
    """Remove a root file system."""
    # Never across a mount: a build that was killed may have left /dev or /sys mounted below.
    run("rm", "-rf", "--one-file-system", tree)
