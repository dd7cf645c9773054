"""`make demo DEMO=review`: pull requests under `publish: on_merge`, as GitHub shows them.

Everything printed is what really came back; `--write` keeps it as docs/review.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from lab.deliveries import PullRequest
from lab.processes import run, wait_for
from lab.site import UNENDED, Service, Site
from lab.upstream import SigningKey

TOKEN = "lab-token"  # noqa: S105  # the stand-in's
PUBLIC = "https://ci.example.org"
MIRROR = "http://mirror.icesi.edu.co/repo/"
PAGE = Path("docs/review.md")
BASE = ("bash", "curl", "make", "git-core")
HEAD = """# The life of a pull request

Written by `make demo DEMO="review --write"`: everything below is what the service, the clients
and the stand-in for GitHub really said. Of each pull request its newest status is shown, which
was `pending` before, and its one comment. The mirror has `publish: on_merge`; `packages.json` on
`main` names """


class Story:
    """Tells what happens, on the terminal and for the page."""

    def __init__(self, site: Site, service: Service) -> None:
        self.site = site
        self.service = service
        self.text: list[str] = []
        self.good = True

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Bring up the lab with a token, so that there is feedback."""
        with SigningKey.make() as key, Site.running(key) as site:
            site.github.token = TOKEN
            github = {"api_url": site.github.api_url, "raw_url": site.github.raw_url}
            config = site.config(
                publish="on_merge", public_url=PUBLIC, github={**github, "token": TOKEN}
            )
            with Service.running(site, config) as service:
                yield cls(site, service)

    def say(self, text: str) -> None:
        """Tell something; addresses of this machine become the mirror's name."""
        shown = text.replace(self.site.mirror.web.url, MIRROR)
        self.text.append(shown)
        print(shown, end="\n\n", flush=True)

    def shown(self, text: str) -> None:
        """Tell what somebody printed, word for word."""
        self.say(f"~~~~text\n{text.strip()}\n~~~~")

    def expect(self, what: str, found: bool, expected: bool) -> None:
        """Tell what was seen, and remember if it is not what it should be."""
        self.good = self.good and found == expected
        answer = "yes" if found else "no"
        self.say(f"{what}: {answer}." if found == expected else f"{what}: **{answer}**.")

    def deliver(self, pull: PullRequest) -> dict[str, object]:
        """Deliver a pull request's event and show what it says when the update has ended."""
        status = self.service.perform(pull)
        update_id = str(status["update_id"])
        sha = pull.merge_commit_sha or pull.head_sha
        github = self.site.github
        wait_for(lambda: self._is_told(pull.number, update_id), f"the comment on {update_id}")
        wait_for(lambda: github.statuses[sha][0]["state"] != "pending", "the status")
        self.shown(github.conversation(pull.number, sha))
        return status

    def _is_told(self, number: int, update_id: str) -> bool:
        """Tell whether the comment says how an update ended."""
        bodies = [comment["body"] for comment in self.site.github.comments.get(number, [])]
        unended = (f": {state}\n" for state in UNENDED)
        return bool(bodies) and update_id in bodies[0] and not any(map(bodies[0].count, unended))

    def sees(self, name: str, path: str = "") -> bool:
        """Try to install a package from the mirror, or from a preview below it."""
        return self.site.client(path=path).install(name, check=False).returncode == 0

    def tool(self, *arguments: str) -> None:
        """Show what the command line says."""
        program = str(Path(sys.executable).parent / "gm-analytics")
        done = run([program, *arguments, "--config", str(self.service.config)], check=False)
        self.good = self.good and done.returncode == 0
        said = done.stdout if done.returncode == 0 else done.stderr  # else only how far it is
        self.shown(f"$ gm-analytics {' '.join(arguments)}\n{said}")


def entries(*names: str) -> str:
    """Give a manifest with a line an entry, so that git merges changes at both of its ends."""
    lines = (f'  {{"package_name": "{n}", "installation_commands": "{n}"}}' for n in names)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def tell(story: Story) -> None:
    """Tell it."""
    site = story.site
    story.say(HEAD + ", ".join(f"`{name}`" for name in BASE) + ".")
    start = site.push(entries(*BASE), branch="start", number=1)
    story.service.perform(site.merge(start))

    story.say("## A pull request with a typo")
    nmap = site.push(entries("nmpa", *BASE), branch="nmap", number=2)
    story.deliver(nmap)

    story.say("## The typo is mended: a preview")
    fixed = site.push(entries("nmap", *BASE), branch="nmap", number=2)
    nmap = replace(fixed, action="synchronize")
    story.deliver(nmap)
    story.expect(
        "`nmap` can be installed from the preview", story.sees("nmap", "previews/2/"), True
    )
    story.expect("and from what is live", story.sees("nmap"), False)

    story.say("## Another pull request is merged before it")
    tree = site.push(entries(*BASE, "tree"), branch="tree", number=3)
    story.service.perform(tree)
    story.deliver(site.merge(tree))
    story.expect("`tree` can be installed from what is live", story.sees("tree"), True)

    story.say("## The first one is merged: planned again, since something was published since")
    merged = story.deliver(site.merge(nmap))
    steps = [step["name"] for step in merged["steps"]]  # type: ignore[attr-defined]
    story.expect("It was resolved again", "download" in steps, True)
    story.expect("`nmap` can be installed", story.sees("nmap"), True)
    story.expect("`tree` can be installed", story.sees("tree"), True)

    story.say("## It is reverted")
    revert = site.push(entries(*BASE, "tree"), branch="revert-nmap", number=4)
    story.service.perform(revert)
    story.deliver(site.merge(revert))
    story.expect("`nmap` can be installed", story.sees("nmap"), False)

    story.say("## And rolled back by hand")
    story.tool("publications")
    story.tool("rollback")
    story.tool("publications")
    story.expect("`nmap` can be installed", story.sees("nmap"), True)


def main(arguments: list[str]) -> int:
    """Tell the story; give the exit code."""
    parser = argparse.ArgumentParser(prog="make demo DEMO=review", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"keep it as {PAGE}")
    options = parser.parse_args(arguments)
    with Story.running() as story:
        tell(story)
    if options.write:
        PAGE.write_text("\n\n".join(story.text) + "\n", encoding="utf-8")
    print("demo: every step was as it should be" if story.good else "demo: it did not work")
    return 0 if story.good else 1
