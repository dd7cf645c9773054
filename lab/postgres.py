"""A PostgreSQL of our own on loopback."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.processes import Daemon, find_program, reserve_port, run


@contextmanager
def postgres() -> Iterator[str]:
    """Run one until the block ends; give its URL.

    Raises:
        LabError: there is no PostgreSQL server here.

    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else find_program("initdb")
    directory = Path(tempfile.mkdtemp(prefix="gm-postgres-"))
    # PostgreSQL refuses to run as root; its package brings an account.
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    prefix = become if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(directory, "postgres")
    port, data = reserve_port(), directory / "data"
    run([*prefix, initdb, "-A", "trust", "-U", "gm", "-N", str(data)])
    server = [str(Path(initdb).with_name("postgres")), "-D", str(data), "-k", str(directory)]
    options = ["-h", "127.0.0.1", "-p", str(port), "-F"]
    daemon = Daemon([*prefix, *server, *options], directory.parent / f"{directory.name}.log")

    def ready() -> bool:
        return "ready to accept connections" in daemon.log.read_text()

    daemon.start(ready)
    try:
        yield f"postgresql://gm@127.0.0.1:{port}/postgres"
    finally:
        daemon.stop()
        daemon.log.unlink()
        shutil.rmtree(directory)
