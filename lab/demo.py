"""`make demo`: the whole story on this machine, from a pull request to an installed package.

With KEEP in the environment (`make demo KEEP=1`) the lab stays up afterwards, until Ctrl-C.
Exits with 0 only if a client that knows nothing but the mirror has the packages in the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab import review
from lab.deliveries import PullRequest
from lab.processes import LabError, terminable
from lab.site import UNENDED, Service, Site

_STEPS = {
    "fetch manifest": "packages.json read at the head SHA",
    "download": "resolved and downloaded",
    "inspect": "checked",
    "createrepo": "metadata written",
    "prove": "proven: an empty system could install it",
    "switch": "published",
    "see": "visible to clients",
}


class Timeline:
    """Prints what happens with the seconds since the delivery was sent."""

    def __init__(self) -> None:
        self.started = time.time()

    def say(self, what: str, when: float | None = None) -> None:
        """Print a line; `when` in seconds since the epoch, now by default."""
        print(f"  {(when or time.time()) - self.started:6.2f} s  {what}", flush=True)


def follow(service: Service, update_id: str, timeline: Timeline) -> dict[str, Any]:
    """Print the steps of an update as they end; give its last status."""
    shown = 0
    while True:
        status = service.show(update_id)
        for step in status["steps"][shown:]:
            if step["error"]:
                timeline.say(f"{step['name']}: {step['error']}", step["completed_at"])
            elif step["name"] in _STEPS:
                timeline.say(_STEPS[step["name"]], step["completed_at"])
        shown = len(status["steps"])
        if status["state"] not in UNENDED:
            return status
        time.sleep(0.05)  # between two looks at the status page, as a person reloads it


def story(site: Site, service: Service, manifest: str) -> bool:
    """Tell it; give whether the client has what the manifest names."""
    client = site.client()
    names = [entry["package_name"] for entry in json.loads(manifest)]
    print(f"before: the client's `yum list all` shows {_seen(client, names)}")
    pull: PullRequest = site.push(manifest)
    print(f"pull request {pull.repository}#{pull.number}: packages.json names {', '.join(names)}")
    timeline = Timeline()
    reply = service.deliver(pull)
    timeline.say(f"accepted: {reply.status_code}, update {reply.json()['update_id']}")
    status = follow(service, reply.json()["update_id"], timeline)
    print(f"{status['state']}: {status['message']}")
    if status["state"] != "published":
        return False
    print(f"on the mirror, ls {site.mirror.host.root}:")
    print("  " + site.mirror.host.ssh("ls", str(site.mirror.host.root)).stdout.replace("\n", "  "))
    print(f"after: the client's `yum list all` shows {_seen(client, names)}")
    client.install(*names)
    timeline.say("installed by a client that knows only the mirror")
    installed = client.names()
    print(f"rpm -q in the client's system: {', '.join(sorted(client.installed()))}")
    return set(names) <= installed


def stay(site: Site, service: Service) -> None:
    """Leave the lab up, and say where it is, until Ctrl-C."""
    print(f"the updates, as pages: http://{service.operators}/updates")
    print(f"the mirror: {site.mirror.web.url}")
    print(f"any command: .venv/bin/gm-analytics updates --config {service.config}")
    # A shell has what it starts in the background ignore it, and then nothing ended the lab.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("the lab is up until Ctrl-C", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _seen(client: Any, names: list[str]) -> str:
    available = {nevra.partition(".")[0] for nevra in client.list_all(check=False).stdout.split()}
    return ", ".join(sorted(available & set(names))) or "neither"


def main(arguments: list[str]) -> int:
    """Run the demo, or the one that is named; give the exit code."""
    if arguments[:1] == ["review"]:
        with terminable():
            return review.main(arguments[1:])
    if arguments:
        print(f"demo: no such demo: {arguments[0]}; there is `review`", file=sys.stderr)
        return 2
    manifest = Path("packages.json").read_text(encoding="utf-8")
    print("bringing up the lab: upstream, mirror host, GitHub's stand-in, service", flush=True)
    keep = bool(os.environ.get("KEEP"))
    with terminable(), Site.running() as site, Service.running(site, operators=keep) as service:
        good = story(site, service, manifest)
        if keep:
            stay(site, service)
    print("demo: the client has the packages" if good else "demo: it did not work")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
