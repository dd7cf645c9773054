"""What a page shows of a mirror's host: its disk, and how old what it knows of upstream is."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.mirror.survey import Target
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm.grammar import SIZE, TIME, lines, number


def sight(target: Target) -> Argv:
    """Print what `HostFacts.parse` reads."""
    return script("mirror", "sight", target.root, target.reposdir, *target.caches)


@dataclass(frozen=True)
class HostFacts:
    """Sizes in bytes."""

    free: int = 0
    disk: int = 0
    read_ago: float | None = None
    """Seconds since yum last read upstream, of the repository that it has not asked for longest;
    None if it has read none."""

    @classmethod
    def parse(cls, output: str) -> HostFacts:
        """Read the output of `sight`.

        Raises:
            Malformed: a fact is not what it should be.

        """
        sizes, times, now = {"free": 0, "disk": 0}, [], 0.0
        for line in lines(output, "a fact of the mirror's host"):
            key, _, value = line.partition(" ")
            if key in sizes:
                sizes[key] = number(SIZE, value) * 1024
            elif key == "now":
                now = float(TIME.check(value))
            elif key == "read":
                times.append(float(TIME.check(value)))
        return cls(sizes["free"], sizes["disk"], max(0.0, now - min(times)) if times else None)
