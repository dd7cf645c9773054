"""A client that knows only one repository: an empty system, and dnf without traces outside."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.packages import ARCH
from lab.processes import CommandError, is_root, run

RELEASEVER = "9"
PLATFORM = "platform:el9"
_TIMEOUT = 300.0
_DIRECTORIES = ("cachedir", "logdir", "persistdir", "reposdir", "varsdir", "pluginconfpath")


class Client:
    """An empty system below `directory`/root whose only repository is at `baseurl`.

    With `mirrorlist`, that is the address of a list of addresses. With `gpgkey`, the address of
    keys, packages must be signed with one of them; with `repo_gpgkey` the metadata must be.
    """

    def __init__(
        self,
        directory: Path,
        baseurl: str,
        *,
        gpgkey: str = "",
        repo_gpgkey: str = "",
        mirrorlist: bool = False,
        name: str = "mirror",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.baseurl = baseurl
        self._found_by = "mirrorlist" if mirrorlist else "baseurl"
        self._config = directory / "dnf.conf"
        self._write_config(options or {})
        self._write_repository(name, gpgkey, repo_gpgkey)

    def dnf(
        self, *arguments: str, check: bool = True, timeout: float = _TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Run dnf on the empty system; `timeout` in seconds.

        Raises:
            CommandError: with `check`, when dnf ends badly.

        """
        return run(self._argv("dnf", *arguments), check=check, timeout=timeout)

    def install(self, *names: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Install packages with all they need. Raises CommandError with dnf's words."""
        return self.dnf("install", *names, check=check)

    def list_all(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Give `yum list all`: what is installed and what is available."""
        return self.dnf("list", "--all", check=check)

    def makecache(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Fetch the repository's metadata."""
        return self.dnf("makecache", check=check)

    def available(self) -> frozenset[str]:
        """Give what the repository offers now, as name-epoch:version-release.arch."""
        query = (
            "repoquery",
            "--refresh",
            "--quiet",
            "--available",
            "--qf",
            "%{name}-%{evr}.%{arch}",
        )
        return frozenset(self.dnf(*query).stdout.split())

    def installed(self) -> frozenset[str]:
        """Give the NEVRAs in this system (`rpm -qa`); the epoch is left out where it is none."""
        form = "%{NAME}-%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}.%{ARCH}\\n"
        query = ["rpm", "--root", str(self.root), "-qa", "--qf", form]
        return frozenset(run(self._as_root(query)).stdout.split())

    def names(self) -> frozenset[str]:
        """Give the names of the installed packages."""
        query = ["rpm", "--root", str(self.root), "-qa", "--qf", "%{NAME}\\n"]
        return frozenset(run(self._as_root(query)).stdout.split())

    def _argv(self, program: str, *arguments: str) -> list[str]:
        config = ["--config", str(self._config), "--installroot", str(self.root)]
        system = ["--releasever", RELEASEVER, "--forcearch", ARCH, "--noplugins", "--assumeyes"]
        return self._as_root([program, *config, *system, *arguments])

    @staticmethod
    def _as_root(command: list[str]) -> list[str]:
        return command if is_root() else ["unshare", "--map-root-user", *command]

    def _write_config(self, options: Mapping[str, str]) -> None:
        for name in ("root", *_DIRECTORIES):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        values = {
            **{name: str(self.directory / name) for name in _DIRECTORIES},
            "module_platform_id": PLATFORM,
            "install_weak_deps": "0",
            "skip_if_unavailable": "0",
            "retries": "1",
            "timeout": "10",
            **options,
        }
        lines = ["[main]", *(f"{key}={value}" for key, value in values.items()), ""]
        self._config.write_text("\n".join(lines), encoding="utf-8")

    def _write_repository(self, name: str, gpgkey: str, repo_gpgkey: str) -> None:
        lines = [
            f"[{name}]",
            f"name=The mirror ({name})",
            f"{self._found_by}={self.baseurl}",
            "enabled=1",
            # Seconds: what was published just now is seen without `clean all`.
            "metadata_expire=1",
            f"gpgcheck={int(bool(gpgkey))}",
            f"repo_gpgcheck={int(bool(repo_gpgkey))}",
            f"gpgkey={gpgkey} {repo_gpgkey}".rstrip(),
            "",
        ]
        path = self.directory / "reposdir" / f"{name}.repo"
        path.write_text("\n".join(lines), encoding="utf-8")


__all__ = ["PLATFORM", "RELEASEVER", "Client", "CommandError"]
