"""A worker looks at a real mirror, and pages read it; what they ask for, it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import HttpUrl

from gm_analytics import settings
from gm_analytics.engine.views import Views
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.looking import look
from gm_analytics.mirror.sight import Known, Sight
from gm_analytics.service import Service
from gm_analytics.updates.states import ended
from gm_analytics.updates.wishes import Wish
from lab.packages import NOARCH, Advisory, Package
from lab.site import Site

from .conftest import at_once, manifest

T = TypeVar("T")
OLD, NEW = Package("seen-tool", "1.0", arch=NOARCH), Package("seen-tool", "1.1", arch=NOARCH)


@pytest.fixture
def service(site: Site, tmp_path: Path) -> Iterator[Service]:
    """A service that looks at its mirror, with a store of its own, and a worker."""
    changes = {"database_url": f"sqlite:///{tmp_path}/store.sqlite", "look_seconds": 3600}
    service = Service(settings.Settings.model_validate(site.settings(**changes)))
    with service.worker():
        yield service
    service.store.close()


def until(found: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.1)
    raise AssertionError("nothing came")


def seen(views: Views, live: int) -> Sight | None:
    """Give what a look saw of the mirror once it has read the packages of a publication."""
    known = {one.number for one in views.publications("mirror.icesi.edu.co") if one.listed}
    return next((one.sight for one in views.mirrors() if live in known), None)


def apply(service: Service, *names: str) -> None:
    wanted = Manifest.parse(manifest(*names).encode())
    service.operations.apply(wanted, "mirror.icesi.edu.co", at_once())


def asked(service: Service, wish: Wish) -> Wish:
    """Ask for something, and wait until a worker has done it."""
    views = service.store.views
    views.ask(wish)
    found = until(lambda: one if (one := views.wish(wish.id)) and not one.open else None)
    if found.fate == "done":
        until(lambda: ended(service.store.get(found.update_id)[0].state) or None)
    return found


def test_pages_read_what_a_worker_saw_and_have_a_worker_roll_back(
    site: Site, service: Service
) -> None:
    site.upstream.advisories = (
        Advisory("LABSA-2026:0009", (NEW,), severity="Critical", cves=("CVE-2026-0009",)),
    )
    site.upstream.add(OLD)
    views, mirror = service.store.views, site.mirror.name
    apply(service, "seen-tool")
    first = until(lambda: seen(views, 2))
    apply(service, "leaf03")
    sight = until(lambda: seen(views, 3))
    assert (first.live, sight.live, sight.packages, sight.in_step) == (2, 3, 2, True)
    assert sight.what.startswith("apply-")
    assert 0 < sight.free < sight.disk
    assert sight.size == sum(one.size for one in views.publication(mirror, 3).packages)
    assert (sight.signed, sight.wrong) == (False, ())
    assert sight.upstream_read_at == pytest.approx(time.time(), abs=60)
    assert sight.advisories is not None
    told = [(one.id, one.severity, one.packages) for one in sight.advisories]
    assert told == [("LABSA-2026:0009", "Critical", (OLD.nvra,))]
    [run] = views.package("leaf03", mirror)
    assert (run.first, run.last, run.package.wanted) == (3, None, ("leaf03",))

    wish = Wish("w1", "rollback", mirror, "ana", publication=2, expected=3, reason="broken")
    done = asked(service, wish)
    assert (done.fate, done.update_id) == ("done", "rollback-w1")
    assert until(lambda: seen(views, 4)).what == "rollback to 2"
    assert [one.removed for one in views.publications(mirror)] == [1, 0, 0, 0]
    late = asked(service, replace(wish, id="w2", publication=3))
    failed = service.store.get(late.update_id)[0]
    assert failed.state == "failed"
    assert failed.message.endswith("publication 4 is live now; 3 was when it was asked for")
    lines = [(one.tag, one.who) for one in reversed(views.audit())]
    person = service.store.recent(5)[-1].update.author
    assert lines == [
        *[(f"person: published: {mirror}", person)] * 2,
        (f"person: asked to roll back: {mirror}", "ana"),
        (f"person: rolled back: {mirror}", "ana"),
        (f"person: asked to roll back: {mirror}", "ana"),
        (f"person: failed to update: {mirror}", "ana"),
    ]


def test_a_look_says_what_is_wrong_and_takes_no_lock(site: Site, inside: Service) -> None:
    name = site.mirror.name
    wanted = Manifest.parse(manifest("leaf01").encode())
    inside.operations.apply(wanted, name, at_once())
    with inside.mirrors.open(name) as locked:
        locked.survey()  # and takes the lock
        before = look(inside.mirrors, inside.settings.mirror(name), Known())
    listed = frozenset(one.number for one in before.publications)
    known = Known(before.sight, listed)
    assert before.publications[-1].packages
    site.mirror.web.stop()
    try:
        away = look(inside.mirrors, inside.settings.mirror(name), known)
    finally:
        site.mirror.web.start()
    assert (away.sight.in_step, away.sight.served) == (None, "Connection refused")
    assert [one.packages for one in away.publications] == [None] * len(listed), "all are known"
    # Another repository is served there, and the disk is short.
    changes = {"disk_reserve": 2**60, "url": HttpUrl(site.upstream_web.url)}
    elsewhere = inside.settings.mirror(name).model_copy(update=changes)
    wrong = look(inside.mirrors, elsewhere, known).sight
    assert (wrong.in_step, wrong.served) == (False, "not the bytes that were published")
    assert "are to stay (disk_reserve)" in wrong.wrong[0].said
