"""How a pull request is tried before it is merged: lines for a client's shell. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gm_analytics.pull_requests.markdown import FOLD, Room, block
from gm_analytics.remote.commands import quote
from gm_analytics.rpm import grammar
from gm_analytics.updates.model import Outcome, Update


def told(update: Update, outcome: Outcome, names: Sequence[str], room: Room) -> Iterator[str]:
    """Give the line that installs from the preview alone, and the one that keeps it."""
    # It will be pasted into a shell, so only what the manifest's grammar lets through.
    # dnf does not take what yum 3 has before an environment.
    fitting = [spec.replace("@^", "@") for spec in names if grammar.SPEC.fits(spec)]
    specs = fitting[:FOLD] or ["PACKAGE"]
    name = f"pr-{update.number}"
    # `--refresh`: dnf would believe for two days what it read of the last push's preview.
    options = f"--repofrompath={name},{outcome.preview} --repo={name}"
    line = f"{options} {_checks(name, outcome.keys)} --refresh install {quote(tuple(specs))}"
    yield "Try it before it is merged:"
    yield block(f"sudo dnf {line}", room, "sh")
    if outcome.repo_file:
        yield "Or have it as a repository for as long as it is there:"
        kept = f"/etc/yum.repos.d/gm-preview-{update.number}.repo"
        yield block(f"sudo curl -fsSo {kept} {outcome.repo_file}", room, "sh")


def _checks(name: str, keys: Sequence[str]) -> str:
    """Give the options by which dnf checks packages; without keys there is nothing to check by."""
    if not keys:
        return "--nogpgcheck"
    return quote((f"--setopt={name}.gpgcheck=1", f"--setopt={name}.gpgkey={' '.join(keys)}"))
