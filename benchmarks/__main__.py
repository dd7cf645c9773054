"""`make bench`: the service side by side with bare commands of the same run.

Writes docs/benchmarks.md. Ratios and differences are what to quote: the machine is noted, and
other load on it makes both sides slower.
"""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import advisories, intake, live_logs, signing, solving, stored
from lab.packages import Package, synthetic
from lab.processes import run
from lab.site import Mirror, Service, Site

REPORT = Path("docs/benchmarks.md")
RUNS = 7
ENTRIES = 50
LARGE = 10_000
PREVIEWED, PREVIEWED_SIZE = 500, 20_000
IDLE_SECONDS = 60


ABOUT = (
    f"One new package, medians of {RUNS} runs in turn. The bare commands are one `ssh` with one "
    "`dnf install --downloadonly` and one `createrepo_c --update`; the service also stores, "
    "proves, switches and looks at the result."
)


def manifest(*names: str) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def bare(mirror: Mirror, *names: str, createrepo: bool = True) -> None:
    """One SSH connection: one downloadonly into the repository, one createrepo."""
    root, host = shlex.quote(str(mirror.host.root)), mirror.host
    script = (
        f"rm -rf {root}/.bare; unshare --map-root-user dnf -q -y --noplugins --releasever=9 "
        f"--installroot={root}/.bare --setopt=reposdir={host.reposdir} "
        f"--setopt=cachedir={root}/.bare-cache --setopt=metadata_expire=3600 "
        f"--setopt=logdir={root}/.bare-log install --downloadonly --downloaddir={root} "
        f"{' '.join(names)}"
    )
    if createrepo:
        script += f"; createrepo_c -q --update {root}"
    host.ssh("mkdir", "-p", f"{host.root}/.bare-log")
    host.ssh("sh", "-ec", script)


def service_seconds(service: Service, site: Site, text: str, number: int) -> tuple[float, dict]:
    """From the POST to the step in which a client's view was compared."""
    pull = site.push(text, number=number)
    started = time.time()
    status = service.perform(pull)
    assert status["state"] in {"published", "previewed", "unchanged"}, status
    seen = next(step for step in status["steps"] if step["name"] == "see")
    return seen["completed_at"] - started, status


def one_package(site: Site, plain: Mirror, prefix: str) -> list[str]:
    """One new package with upstream's metadata cached, in turn with the bare commands."""
    names = [f"{prefix}{number}" for number in range(RUNS + 1)]
    site.upstream.add(*map(Package, names))
    ours, theirs, steps = [], [], []
    with Service.running(site, site.config(mirrors=[site.mirrors[-2].settings()])) as service:
        service_seconds(service, site, manifest(names[0]), 1)
        bare(plain, names[0])
        for number, name in enumerate(names[1:], 2):
            theirs.append(seconds(lambda name=name: bare(plain, name)))
            took, status = service_seconds(service, site, manifest(name), number)
            ours.append(took)
            steps.append(status["steps"])
    a, b = statistics.median(ours), statistics.median(theirs)
    lines = [
        f"| from the POST to clients | {a:.2f} s | {b:.2f} s | {a / b:.2f} | {a - b:+.2f} s |"
    ]
    for index, step in enumerate(steps[0]):
        spent = statistics.median(s[index]["completed_at"] - s[index]["started_at"] for s in steps)
        lines.append(f"| – {step['name']} | {spent:.3f} s | | | |")
    return lines


def fifty(site: Site, plain: Mirror) -> list[str]:
    """Fifty entries, against one SSH connection and one yum run an entry."""
    names = [f"leaf{number:02d}" for number in range(ENTRIES)]

    def course_project() -> None:
        for name in names:
            bare(plain, name, createrepo=False)

    with Service.running(site, site.config(mirrors=[site.mirrors[0].settings()])) as service:
        ours, _ = service_seconds(service, site, manifest(*names), 100)
        theirs = seconds(course_project)
        again, _ = service_seconds(service, site, manifest(*names), 101)
    return [
        f"| {ENTRIES} entries | {ours:.2f} s | {theirs:.2f} s | {theirs / ours:.1f} times |",
        f"| the same manifest again | {again:.2f} s | | no yum run |",
    ]


def previewed(site: Site) -> list[str]:
    """Preview a closure of many RPMs: when they must be fetched, and when the pool has them."""
    mirror = site.add_mirror("preview.example")
    parts = [replace(part, size=PREVIEWED_SIZE) for part in synthetic(PREVIEWED - 1, "part")]
    whole = Package("whole", requires=tuple(part.name for part in parts))
    site.upstream.add(*parts, whole)
    config = site.config(publish="on_merge", mirrors=[mirror.settings()])
    took = []
    with Service.running(site, config) as service:
        for number in range(200, 203):
            spent, status = service_seconds(service, site, manifest("whole"), number)
            assert len(status["outcome"]["added"]) == PREVIEWED
            took.append(spent)
    root = mirror.host.root
    pool, preview = root.glob("*.rpm"), (root / "previews/202").resolve().rglob("*")
    again = statistics.median(took[1:])
    return [
        f"| {PREVIEWED} new RPMs | {took[0]:.2f} s | {_bytes(pool) / 1e6:.1f} MB of RPMs |",
        f"| the same again | {again:.2f} s | {_bytes(preview) / 1e3:.0f} kB |",
    ]


def _bytes(files: Iterable[Path]) -> int:
    return sum(file.stat().st_blocks * 512 for file in files)


def idle(site: Site) -> list[str]:
    """CPU share and memory of web and worker in processes of their own, doing nothing."""
    rows = []
    with Service.running(site, site.config(), split=True) as service:
        before = [_usage(daemon.pid) for daemon in service.daemons]
        time.sleep(IDLE_SECONDS)
        for name, daemon, (ticks, _) in zip(
            ("web", "worker"), service.daemons, before, strict=True
        ):
            now, resident = _usage(daemon.pid)
            share = (now - ticks) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS * 100
            rows.append(f"| {name} | {share:.1f} % of one core | {resident:.0f} MB |")
    return rows


def _usage(pid: int) -> tuple[int, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return int(fields[11]) + int(fields[12]), resident


def machine() -> str:
    cpu = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    dnf = run(["dnf", "--version"]).stdout.split()[0]
    createrepo = run(["createrepo_c", "--version"]).stdout.split()[1]
    return (
        f"{system}, {os.cpu_count()} cores ({cpu}), Python {platform.python_version()}, "
        f"dnf {dnf}, createrepo_c {createrepo}; {datetime.now(UTC):%Y-%m-%d}; "
        f"load before the run {os.getloadavg()[0]:.1f}"
    )


def large_mirrors(site: Site) -> Mirror:
    """Add two mirrors of 10,000 RPMs: the service's, and the bare commands'."""
    ours, plain = site.add_mirror("large.example"), site.add_mirror("large-bare.example")
    from lab.packages import build  # noqa: PLC0415  # only here

    build(synthetic(LARGE), ours.host.root)
    subprocess.run(["cp", "-a", f"{ours.host.root}/.", plain.host.root], check=True)
    for mirror in (ours, plain):
        run(["createrepo_c", "-q", str(mirror.host.root)])
        mirror.host.owned_by_account(mirror.host.root)
    return plain


def main() -> None:
    """Measure everything and write the report."""
    about = machine()
    with Site.running() as site:
        plain = site.add_mirror("bare.example")
        small = one_package(site, plain, "small")
        many = fifty(site, plain)
        solved = solving.measure(site)
        previews = previewed(site)
        large = one_package(site, large_mirrors(site), "large")
        signed = signing.measure(site)
        advised = advisories.measure(site)
        resting = idle(site)
    taken = intake.measure()
    pages = stored.measure()
    live = live_logs.measure()
    head = "| | service | bare commands | ratio | difference |\n| --- | --- | --- | --- | --- |"
    REPORT.write_text(
        "\n".join(
            [
                "# Benchmarks",
                "",
                f"Written by `make bench`. {about}.",
                "",
                ABOUT,
                "",
                "## A small mirror",
                head,
                *small,
                "",
                f"## A mirror of {LARGE:,} RPMs",
                head,
                *large,
                "",
                "## Many entries",
                "| | service | one SSH and one yum run an entry | |\n| --- | --- | --- | --- |",
                *many,
                "",
                "## Runs of the solver",
                *solved,
                "",
                "## A preview",
                "| a closure of | from the POST to clients | more on disk |\n| --- | --- | --- |",
                *previews,
                "",
                "## Signing",
                *signed,
                "",
                "## Advisories",
                *advised,
                "",
                "## Intake",
                *taken,
                "",
                "## Pages over many updates",
                *pages,
                "",
                "## Open pages",
                *live,
                "",
                f"## Idle, over {IDLE_SECONDS} s",
                "| process | CPU | resident |\n| --- | --- | --- |",
                *resting,
                "",
            ]
        ),
        encoding="utf-8",
    )
    print(REPORT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
