"""`python -m lab.box.captures`: put what the last `make vagrant-check` printed into docs/lab.md.

Only marked sections are rewritten, and nothing is worded here: a long capture is shortened to
the lines that tell what happens.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from lab.hosts.shell import CACHE, CHECKOUT, LabError

PAGE = CHECKOUT / "docs" / "lab.md"
_PLACE = CACHE / "captures"
_SHOWN = {
    "up": re.compile(
        r"^\$|^Bringing|booted and ready|Running provisioner|: lease:|resources updated|^keys:"
    ),
    "install-1": re.compile(
        r"^(?!\(\d|-{9}|Total |Running trans|Transaction (?:test|check)|  Veri)"
    ),
}
"""The lines that are shown of long captures."""
_SECTION = re.compile(
    r"(?P<begin><!-- capture: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- /capture -->)", re.DOTALL
)


def keep(name: str, command: str, output: str) -> None:
    """Keep what a command printed, under a name, for the page."""
    _PLACE.mkdir(parents=True, exist_ok=True)
    (_PLACE / f"{name}.txt").write_text(f"$ {command}\n{output}", encoding="utf-8")


def forget() -> None:
    """Forget the captures of an earlier run."""
    for path in _PLACE.glob("*.txt"):
        path.unlink()


def fill(page: str, captured: Mapping[str, str]) -> str:
    """Give the page with its marked sections made anew.

    Raises:
        LabError: there is no capture of a section's name.

    """

    def section(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in captured:
            raise LabError(f"section {name}: no such capture; there are {', '.join(captured)}")
        text = shorten(name, captured[name])
        return f"{found['begin']}```console\n{text}\n```\n{found['end']}"

    return _SECTION.sub(section, page)


def shorten(name: str, text: str) -> str:
    """Give the lines of a capture that are shown, without space at their ends."""
    pattern = _SHOWN.get(name, re.compile(""))
    lines = [line.rstrip() for line in text.splitlines() if pattern.search(line)]
    return "\n".join(lines).strip()


def main() -> int:
    """Rewrite the page; give the exit code."""
    captured = {path.stem: path.read_text("utf-8") for path in sorted(_PLACE.glob("*.txt"))}
    if not captured:
        raise LabError("no captures; `make vagrant-check` makes them")
    PAGE.write_text(fill(PAGE.read_text("utf-8"), captured), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"captures: {error}")
