"""A configuration of a mirror that nobody answers for, and what a command says with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support import command_line

PROGRAM = str(Path(sys.executable).parent / "gm-analytics")
SECRET = "s" * 32
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Place:
    """A configuration of a mirror that nobody answers for, in a directory of its own."""

    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "config.yaml"

    def write(self, text: str | None = None, **changes: object) -> Place:
        for name in ("id_ed25519", "known_hosts"):
            if not (self.directory / name).exists():
                (self.directory / name).write_text("")
                (self.directory / name).chmod(0o600)
        values = {
            "webhook": {"secret": SECRET, "repositories": ["a/b"]},
            "database_url": f"sqlite:///{self.directory}/store/updates.sqlite",
            "operator_listen": "off",
            "mirrors": [self.mirror()],
            **changes,
        }
        self.config.touch(0o600)
        self.config.write_text(yaml.safe_dump(values) if text is None else text)
        return self

    def mirror(self, **changes: object) -> dict[str, object]:
        return {
            "name": "m",
            "host": "127.0.0.1",
            "port": 1,
            "identity_file": f"{self.directory}/id_ed25519",
            "known_hosts": f"{self.directory}/known_hosts",
            "url": "http://127.0.0.1:1/repo/",
            "upstream": {"releasever": "9"},
            **changes,
        }

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run a command in this process, as the console script does."""
        variables = {"GM_ANALYTICS_CONFIG": str(self.config), **environment}
        return command_line.run(arguments, stdin=stdin, environment=variables)

    def spawn(
        self, *arguments: str, stdin: str | None = "", redirect: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a process, its streams redirected."""
        return subprocess.run(
            ["bash", "-c", f'exec "$@" {redirect}', "bash", PROGRAM, *arguments],
            input=stdin,
            env={**os.environ, "GM_ANALYTICS_CONFIG": str(self.config), **environment},
            cwd=self.directory,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=60,
        )


def told(done: Done, code: int, words: str) -> None:
    """See that a command ended with a code and with words, in lines of its own."""
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    assert done.returncode == code, said
    assert re.search(words, said), said


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "serve": (), "web": (), "worker": (), "plan": ("-",), "apply": ("-",), "updates": (),
    "retry": ("x",), "cancel": ("x",), "replay": ("-",), "publications": (), "diff": ("1", "2"),
    "rollback": (),
    "lock": (), "gc": (), "status": (), "takeover": (), "adopt": (), "check": (), "key": (),
    "repair": (), "remove": ("tree",), "accept-change": (), "forget": ("team/packages",),
    "mirror-setup": (), "packages": (), "completion": ("bash",), "client": (),
    "audit": (),
    "webhook": ("status",), "tunnel": ("--no-start", "--once"),
}  # fmt: skip
"""Every command, with what it needs to be called at all."""
