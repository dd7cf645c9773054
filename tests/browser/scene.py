"""A service with operators' pages in this process, over a real store and worker.

Its mirrors are played: an update does what its id says (`Play`), in the words of dnf and
createrepo, and stops where a test wants to look at it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from gm_analytics import settings
from gm_analytics.engine import watching, wishes
from gm_analytics.engine.database import connect
from gm_analytics.engine.steps import DurableStep
from gm_analytics.engine.worker import worker
from gm_analytics.errors import (
    ManifestError,
    MirrorUnreachable,
    Problem,
    UnknownPackages,
    Unresolvable,
)
from gm_analytics.mirror.client_file import of_mirror
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.sight import Known, Seen, SeenPublication, Sight, Trouble
from gm_analytics.pull_requests.wishing import Carrier
from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.changes import Change
from gm_analytics.rpm.package import Package
from gm_analytics.service import Service
from gm_analytics.updates.model import MERGE, PREVIEW, ROLLBACK, Aim, Outcome, Update
from gm_analytics.updates.waiting import Retry
from gm_analytics.web import operator
from lab.processes import reserve_port, wait_for
from tests.integration.engine import Work

REPOSITORY = "icesi/packages"
SCRIPT = "</pre></title><img src=x onerror=window.ran=1><script>window.ran=1</script>\"'>"
"""What strangers plant, and what a page must show as it is written."""
EAST, WEST = "mirror.icesi.edu.co", "west.icesi.edu.co"
STEPS = ("supersede", "fetch manifest", "survey", "download", "inspect", "compare", "add",
         "createrepo", "prove", "switch", "see")  # fmt: skip
_NMAP = (
    ("added", "nmap-7.92-1.el9.x86_64", 5_830_000, None, ("nmap-7.92",)),
    ("added", "nmap-ncat-7.92-1.el9.x86_64", 228_400, None, ("nmap-7.92",)),
    ("added", "libpcap-1.10.0-4.el9.x86_64", 176_900, None, ("nmap-7.92", "tcpdump")),
    ("upgraded", "openssl-libs-3.0.7-28.el9.x86_64", 2_230_000, "openssl-libs-3.0.7-27.el9.x86_64",
     ("nmap-7.92", "tree", "tcpdump", "git-core", "curl")),
    ("added", "tree-1.8.0-10.el9.x86_64", 58_200, None, ("tree",)),
    ("added", "tcpdump-4.99.0-9.el9.x86_64", 562_100, None, ("tcpdump",)),
    ("removed", "telnet-0.17-85.el9.x86_64", 65_700, None, ("telnet",)),
)  # fmt: skip
CHANGES = tuple(Change(kind, nevra, size, "baseos", before, wanted)  # type: ignore[arg-type]
                for kind, nevra, size, before, wanted in _NMAP)  # fmt: skip
ADVICE = (
    Advice("RHSA-2026:1187", "security", "Important", ("CVE-2026-0727", "CVE-2026-0286"),
           ("openssl-libs-3.0.7-28.el9.x86_64",)),
)  # fmt: skip
DOWNLOADS = tuple(
    f"({n}/{len(CHANGES)}): {one.nevra}.rpm".ljust(62)
    + f"3.4 MB/s | {one.size // 1000} kB     00:00"
    for n, one in enumerate(CHANGES, 1)
)
SAID = ("Last metadata expiration check: 0:00:01 ago on Fri Nov 27 08:00:01 2026.",
        "Dependencies resolved.", "Total download size: 9.1 M",
        "Downloading Packages:")  # fmt: skip


@dataclass
class Play(Work):
    """Performs updates as their ids say: `fails…`, `unknown…`, `manifest…`, `waits…`, `stops…`."""

    gates: dict[str, threading.Event] = field(default_factory=dict)
    """Where an update of this id stands still, by `ID step`; set to go on."""
    healed: set[str] = field(default_factory=set)
    """Those that do not fail again."""
    rollbacks: list[Update] = field(default_factory=list)

    def gate(self, name: str) -> threading.Event:
        return self.gates.setdefault(name, threading.Event())

    def __call__(self, work: Update, step: DurableStep) -> Outcome:
        def one(name: str) -> str:
            if name == "download":
                self._download(work, step)
            if gate := self.gates.get(f"{work.id} {name}"):
                while not gate.wait(0.05):
                    step.run.before(name)
            self._fail(work, name)
            return name

        def run(name: str) -> str:
            return one(name)

        if work.aim == ROLLBACK:
            self.rollbacks.append(work)
        for name in STEPS:
            step(name, run, name)
        return outcome(work)

    def _download(self, work: Update, step: DurableStep) -> None:
        if work.id.startswith("hostile"):
            step.telling.line(SCRIPT)
        for line in (*SAID, *DOWNLOADS[:4]):
            step.telling.line(line)
        if gate := self.gates.get(f"{work.id} packages"):
            while not gate.wait(0.05):
                step.run.before("download")
        for line in (*DOWNLOADS[4:], "Complete!"):
            step.telling.line(line)

    def _fail(self, work: Update, name: str) -> None:
        if work.id in self.healed:
            return
        if name == "fetch manifest" and work.id.startswith("manifest"):
            raise ManifestError(
                [Problem("/1/installation_commands", "'nmap; rm -rf /'", "package specs"),
                 Problem("/2", "a number", "a string or an object")],
                {"/1": "Network tools"},
            )  # fmt: skip
        if name == "download" and work.id.startswith("unknown"):
            near = {"nmpa": ["nmap"], "tre": ["tree"]}
            places = {"nmpa": "/0/installation_commands", "tre": "/3"}
            raise UnknownPackages(work.mirror, list(near), near, places)
        if name == "download" and work.id.startswith("hostile-fails"):
            raise Unresolvable(work.mirror, [SCRIPT], SCRIPT, {SCRIPT: SCRIPT})
        if name == "survey" and work.id.startswith("waits"):
            raise MirrorUnreachable(work.mirror, "connecting", "Connection refused")


def outcome(work: Update) -> Outcome:
    if work.id.startswith("hostile"):
        change = Change("added", SCRIPT, 1, SCRIPT, SCRIPT, (SCRIPT,))
        return Outcome("published", SCRIPT, warnings=(SCRIPT,), changes=(change,))
    state = "previewed" if work.aim.target == "preview" else "published"
    shown = "https://mirror.icesi.edu.co/repo/previews/12/" if state == "previewed" else ""
    return Outcome(
        state, f"{work.mirror}: 5 added, 1 upgraded, 1 removed", ".publications/000018",  # type: ignore[arg-type]
        tuple(one.nevra for one in CHANGES if one.kind != "removed"), 9_086_000,
        changes=CHANGES, advisories=ADVICE, preview=shown,
        repo_file=shown and f"{shown[:-1]}.repo",
    )  # fmt: skip


class Scene:
    """The service, and what is played on it."""

    def __init__(self, service: Service, play: Play, url: str) -> None:
        self.service = service
        self.play = play
        self.url = url
        self._number = 0

    def put(self, name: str, mirror: str = EAST, number: int = 8, aim: Aim | None = None,
            **more: object) -> str:  # fmt: skip
        """Put an update in; give its id."""
        self._number += 1
        now = time.time()
        update = Update(
            name, mirror, REPOSITORY, number, f"{0x5ab5e0 + number:06x}{self._number:034x}", now,
            updated_at=f"2026-11-20T10:{self._number // 60:02d}:{self._number % 60:02d}Z",
        )  # fmt: skip
        self.service.store.enqueue(replace(update, **({"aim": aim} if aim else {}), **more))  # type: ignore[arg-type]
        return name

    def await_state(self, name: str, *states: str) -> None:
        wait_for(
            lambda: self.service.store.get(name)[0].state in states, f"{name} to be {states}", 20
        )

    @contextmanager
    def beside(self, **operators: str) -> Iterator[str]:
        """Answer on another listener too, where operators may do something else."""
        listen = f"127.0.0.1:{reserve_port()}"
        told = {"operators": self.service.settings.operators.model_copy(update=operators)}
        other = Service(self.service.settings.model_copy(update=told))
        with closing(other.store), operator.serving(other, listen, 8080, works_here=False):
            yield f"http://{listen}"

    def look(self, seen: watching.See) -> None:
        """Have a worker look at the mirrors."""
        look(self.service.settings.database_url, seen)

    def fill(self) -> None:
        """Have some of everything."""
        self.put("pr3-published", number=3, aim=MERGE)
        self.put("pr4-previewed", number=4, aim=PREVIEW)
        self.put("unknown-packages", number=5)
        self.put("manifest-wrong", number=6)
        self.put("pr2-published", WEST, number=2)
        for name in ("pr3-published", "pr4-previewed", "pr2-published"):
            self.await_state(name, "published", "previewed")
        for name in ("unknown-packages", "manifest-wrong"):
            self.await_state(name, "failed")


# --- what workers see of the mirrors ---------------------------------------------------------


def package(name: str, version: str, size: int, *wanted: str) -> Package:
    file = f"{name}-{version}-1.el9.x86_64.rpm"
    digest = sha256(file.encode()).hexdigest()
    return Package(file, name, 0, version, "1.el9", "x86_64", size, digest, "baseos", wanted)


TREE, LIBPCAP = (
    package("tree", "1.8.0", 58_200, "tree"),
    package("libpcap", "1.10.0", 176_900, "nmap"),
)
SETS = {
    15: (TREE, package("telnet", "0.17", 65_700, "telnet")),
    16: (TREE, package("nmap", "7.91", 5_800_000, "nmap"), LIBPCAP),
    17: (TREE, package("nmap", "7.92", 5_830_000, "nmap"), LIBPCAP),
}
KEY = "5A8E2C0B7F4D19E63B0A94C1D27F6E5083BC11D9"


def publications(now: float, newest: int = 17) -> tuple[SeenPublication, ...]:
    days = {15: 12.0, 16: 2.2, 17: 0.13}
    return tuple(
        SeenPublication(
            number, number == newest, now - days.get(number, 0.0) * 86_400, len(SETS[number]),
            Publication(number, f"pr{number - 12}-published", f"{REPOSITORY}#{number - 12}",
                        f"{number:040x}", specs=("tree", "nmap"), kind="merge"),
            SETS[number],
        )
        for number in sorted(SETS)
    )  # fmt: skip


def see(name: str, known: Known) -> Seen:
    """Look at a mirror; the western one does not answer."""
    if name == WEST:
        raise MirrorUnreachable(name, "connecting", "Connection timed out")
    now = time.time()
    published = datetime.fromtimestamp(now - 11_200, UTC).isoformat(timespec="seconds")
    open_ones = (
        Advice("RHSA-2026:1187", "security", "Important", ("CVE-2026-0727",),
               ("nmap-7.93-1.el9.x86_64",)),
        Advice("RHBA-2026:1002", "bugfix", "", (), ("tree-1.8.1-1.el9.x86_64",)),
    )  # fmt: skip
    sight = Sight(
        17, published, f"{REPOSITORY}#5 pr5-published", 3, 6_065_100, 71_000_000_000,
        250_000_000_000, 2, True, "", True, KEY, open_ones, 2, "", now - 1500.0,
        (Trouble("the metadata of repository epel are 9 days old",
                 "See whether upstream still publishes there.", "warn"),),
        of_mirror(name, f"http://{name}/repo/", mirrorlist=True),
    )  # fmt: skip
    return Seen(sight, publications(now))


def look(url: str, seen: watching.See) -> None:
    engine = connect(url)
    watching.Watching(engine, (EAST, WEST), seen, 0.0).look()
    engine.dispose()


# --- the service ------------------------------------------------------------------------------


def configured(directory: Path) -> settings.Settings:
    """Give a configuration of two mirrors that nobody reaches."""
    (directory / "identity").write_text("")
    (directory / "known_hosts").write_text("")
    mirrors = [
        {
            "name": name,
            "host": f"{name}.invalid",
            "identity_file": str(directory / "identity"),
            "known_hosts": str(directory / "known_hosts"),
            "url": f"http://{name}/repo/",
            "upstream": {"releasever": "9"},
        }
        for name in (EAST, WEST)
    ]
    return settings.Settings.model_validate(
        {
            "webhook": {"secret": "s" * 64, "repositories": [REPOSITORY]},
            "database_url": f"sqlite:///{directory}/updates.sqlite",
            "mirrors": mirrors,
        }
    )


@contextmanager
def playing(directory: Path) -> Iterator[Scene]:
    """Serve operators' pages, and perform what is put in."""
    service, play = Service(configured(directory)), Play()
    listen = f"127.0.0.1:{reserve_port()}"
    with ExitStack() as stack:
        stack.callback(service.store.close)
        service.store.prepare()
        url = service.settings.database_url
        carry = Carrier(service.settings, service.store, lambda *_: None)
        asked = wishes.carrying(carry)
        stack.enter_context(
            worker(url, play, lambda *_: None, Retry(1, 0.5), "played", more=[asked])
        )
        look(url, see)
        stack.callback(lambda: [gate.set() for gate in play.gates.values()])
        stack.enter_context(operator.serving(service, listen, 8080, works_here=True))
        yield Scene(service, play, f"http://{listen}")
