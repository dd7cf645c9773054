"""One browser for all tests of pages, and one service whose mirrors are played."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .scene import Scene, playing

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: lab/setup test")
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright  # noqa: E402

TOP = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = TOP / ".cache/npm/node_modules/axe-core/axe.min.js"
PICTURES = TOP / "docs" / "images"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCHEMES = ("light", "dark")
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Browser]:  # DBOS starts under no event loop
    """Debian's own Chromium; as root it has no sandbox. Playwright's loop ends with the file."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: lab/setup test")
    with sync_playwright() as driver:
        try:
            running = driver.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        except Error as error:
            pytest.skip(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield running
        running.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(tmp_path_factory.mktemp("scene")) as playing_it:
        playing_it.fill()
        yield playing_it


@pytest.fixture
def visit(browser: Browser, scene: Scene) -> Iterator[Open]:
    """Open a page in a context of its own; its console must have stayed silent in the end."""
    said: list[str] = []
    contexts = []

    def open_it(path: str, *, viewport: object = None, **options: object) -> Page:
        context = browser.new_context(
            base_url=scene.url, viewport=viewport or WIDE, reduced_motion="reduce", **options
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda one: _hear(said, one))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert said == []


def _hear(said: list[str], message: ConsoleMessage) -> None:
    if message.type in {"error", "warning"}:
        said.append(f"{message.text} {message.location.get('url', '')}")


def barriers(page: Page, rule: str = "") -> list[str]:
    """Give what axe-core finds serious of a page, by all of its rules or one."""
    if not AXE.is_file():
        pytest.skip("no axe-core: lab/setup test")
    page.evaluate(AXE.read_text(encoding="utf-8"))  # over the debugger, which no policy stops
    options = {"resultTypes": ["violations"], **({"runOnly": [rule]} if rule else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    """Write a picture for the documents, where that is asked for (`make pictures`)."""
    if os.environ.get("PICTURES") == "write":
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")
