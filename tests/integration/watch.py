"""Clients that watch a mirror while it changes, and say what went wrong for them."""

from __future__ import annotations

import hashlib
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from lab.client import Client
from lab.processes import CommandError

REPO = "{http://linux.duke.edu/metadata/repo}"
BETWEEN = 0.03
"""Seconds from one look to the next, in which what is watched gets the processor."""


@dataclass
class Watch:
    """How often the watcher looked, and the errors it met."""

    looks: int = 0
    errors: list[str] = field(default_factory=list)


def metadata_is_whole(url: str) -> Callable[[], None]:
    """Read repomd.xml and all it names, as yum does, and compare the checksums."""
    session = requests.Session()

    def look() -> None:
        reply = session.get(f"{url}repodata/repomd.xml", timeout=10)
        reply.raise_for_status()
        for data in ET.fromstring(reply.content).iter(f"{REPO}data"):
            location, checksum = data.find(f"{REPO}location"), data.findtext(f"{REPO}checksum")
            assert location is not None
            named = session.get(url + location.attrib["href"], timeout=10)
            named.raise_for_status()
            assert hashlib.sha256(named.content).hexdigest() == checksum, location.attrib

    return look


def refresh_and_install(client: Client, *names: str) -> Callable[[], None]:
    """Refresh the metadata and download the packages with all they need, again and again."""

    def look() -> None:
        client.makecache()
        target = str(client.directory / "downloaded")
        client.dnf("install", "--downloadonly", f"--downloaddir={target}", *names)

    return look


@contextmanager
def watching(look: Callable[[], None]) -> Iterator[Watch]:
    """Look in a tight loop in a thread until the block ends, at least once."""
    watch, stop = Watch(), threading.Event()

    def loop() -> None:
        while True:
            try:
                look()
            except (requests.RequestException, AssertionError, CommandError) as error:
                watch.errors.append(str(error)[-2000:])
            watch.looks += 1
            if stop.wait(BETWEEN):
                return

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()
