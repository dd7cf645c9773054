"""Operators' pages in a real Chromium, over a real store, worker and listener."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import expect

from gm_analytics.mirror.sight import Seen, Sight, Trouble
from gm_analytics.updates.model import MERGE
from gm_analytics.web.access import LOCAL
from gm_analytics.web.rendering import POLICY

from .conftest import PHONE, SCHEMES, WIDE, Open, barriers, picture
from .scene import EAST, SCRIPT, WEST, Scene, publications, see

HOME = f"/mirrors/{EAST}"
DARK = {"update-published": "/updates/pr3-published"}
"""Pages of which there are dark pictures, by name."""
PAGES = (
    "/",
    HOME,
    f"/mirrors/{WEST}",
    f"{HOME}/publications/17",
    f"{HOME}/rollback?to=15",
    "/packages?name=nmap",
    "/updates",
    "/updates?state=superseded",
    "/updates/pr3-published",
    "/updates/unknown-packages",
    "/updates/manifest-wrong",
)


def test_an_update_is_seen_from_queued_to_published_without_a_reload(
    visit: Open, scene: Scene
) -> None:
    before, packages = scene.play.gate("before survey"), scene.play.gate("pr8-live packages")
    proving = scene.play.gate("pr8-live prove")
    scene.put("before", number=7)
    scene.await_state("before", "running")
    scene.put("pr8-live", number=8)
    page = visit("/updates/pr8-live")
    head, steps = page.locator("#head-0"), page.locator("#steps-0")
    expect(head.locator(".pill")).to_have_text("waiting")
    expect(page.locator("[data-connection]")).to_have_text("live")
    page.evaluate("window.same = true")
    before.set()
    expect(head.locator(".pill")).to_have_text("running")
    expect(steps.locator(".running")).to_contain_text("Resolve and download")
    expect(steps.get_by_role("progressbar")).to_be_visible()
    expect(steps).to_contain_text("4 of 7 packages")
    log = page.get_by_role("region", name="What the mirror's host says")
    expect(log).to_contain_text("(4/7): openssl-libs")
    expect(log).not_to_contain_text("(5/7)")
    picture(page, "update-live")
    packages.set()
    expect(steps.locator(".running")).to_contain_text("Prove")
    expect(log).to_contain_text("(5/7): tree")
    proving.set()
    expect(head.locator(".pill")).to_have_text("published")
    expect(page.locator("#plan-0")).to_contain_text("5 added")
    expect(page.locator("[data-connection]")).to_be_hidden()
    assert log.locator("span").count() == len(set(log.locator("span").all_inner_texts())) == 12
    assert page.evaluate("window.same"), "the page was loaded again"
    page.reload()
    page.locator("summary", has_text="Resolve and download").press("Enter")
    expect(page.get_by_role("region", name="Resolve and download")).to_contain_text("(7/7)")


def test_a_list_shows_what_comes_without_a_reload(visit: Open, scene: Scene) -> None:
    page = visit("/updates")
    page.evaluate("window.same = true")
    scene.put("pr21-came", number=21)
    row = page.locator("tr", has_text="icesi/packages#21")
    expect(row).to_contain_text("published")
    assert page.evaluate("window.same"), "the page was loaded again"


def test_a_failure_is_said_once_with_its_place_and_what_to_do(visit: Open) -> None:
    page = visit("/updates/unknown-packages")
    note = page.locator("#verdict-0")
    expect(note).to_contain_text("/0/installation_commands")
    expect(note.get_by_role("listitem").first).to_contain_text("Did you mean nmap?")
    expect(note).to_contain_text("What to do: Correct the names")
    assert page.locator("body").inner_text().count("nmpa") == 1
    expect(page.locator("#steps-0 .failed")).to_contain_text("Resolve and download, failed")
    expect(page.get_by_text("(7/7): telnet")).to_be_visible()
    wrong = visit("/updates/manifest-wrong").locator("#verdict-0 li")
    expect(wrong).to_have_text(
        [re.compile("/1/installation_commands Network tools: found 'nmap; rm -rf /'"),
         re.compile("/2 entry 3: found a number")]
    )  # fmt: skip


def test_a_failed_update_is_run_again_by_its_button(visit: Open, scene: Scene) -> None:
    scene.put("unknown-again", number=41)
    scene.await_state("unknown-again", "failed")
    page = visit("/updates/unknown-again")
    scene.play.healed.add("unknown-again")
    page.get_by_role("button", name="Run it again").click()
    expect(page.locator("#head-0 .pill")).to_have_text("published")
    expect(page.get_by_role("button", name="Run it again")).to_have_count(0)


def test_an_update_is_cancelled_while_it_runs(visit: Open, scene: Scene) -> None:
    gate = scene.play.gate("pr42-long survey")
    scene.put("pr42-long", number=42)
    scene.await_state("pr42-long", "running")
    page = visit("/updates/pr42-long")
    page.locator("summary", has_text="Cancel").press("Enter")
    expect(page.get_by_text("Clients go on seeing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Clients go on seeing")).to_be_hidden()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#head-0 .pill")).to_have_text("cancelled", timeout=15_000)
    expect(page.locator("#verdict-0")).to_contain_text(f"cancelled by {LOCAL}")
    gate.set()


def test_a_rollback_is_confirmed_with_what_it_changes(visit: Open, scene: Scene) -> None:
    page = visit(f"{HOME}/publications/16")
    page.get_by_role("link", name="Go back to it").click()
    expect(page.get_by_role("region", name="What would change")).to_contain_text("downgraded")
    picture(page, "rollback")
    page.get_by_label("Why").fill("nmap 7.92 crashes")
    page.get_by_role("button", name="Roll back to 16").click()
    expect(page).to_have_url(re.compile(f"{HOME}$"))
    note = page.locator("#wishes-0")
    expect(note).to_contain_text("asked to roll back to publication 16")
    expect(note).to_contain_text("nmap 7.92 crashes")
    note.get_by_role("link", name="update rollback-").click()
    expect(page.locator("#head-0")).to_contain_text(f"Go back to publication 16 on {EAST}")
    expect(page.locator("#head-0 .pill")).to_have_text("published")
    (rolled,) = scene.play.rollbacks
    assert (rolled.back_to, rolled.expected, rolled.author) == (16, 17, LOCAL)


def test_who_may_only_read_sees_no_button(visit: Open, scene: Scene) -> None:
    with scene.beside(local="read") as url:
        page = visit(f"{url}/updates/unknown-packages")
        expect(page.locator("#verdict-0")).to_contain_text("nmpa")
        expect(page.get_by_role("button", name="Run it again")).to_have_count(0)
        page.goto(f"{url}{HOME}/publications/16")
        expect(page.get_by_role("link", name="Go back to it")).to_have_count(0)
        page.goto(f"{url}{HOME}/rollback?to=16")
        expect(page.get_by_role("button", name="Roll back")).to_have_count(0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_forms_of_other_sites_do_nothing(scene: Scene, headers: dict[str, str]) -> None:
    before = len(scene.service.store.views.wishes())
    form = {"to": "15", "expected": "17", "id": "a" * 32}
    for path in (f"{HOME}/rollback", "/updates/unknown-packages/retry", "/updates/x/cancel"):
        reply = requests.post(scene.url + path, form, headers=headers, timeout=10)
        assert reply.status_code == 403
    assert len(scene.service.store.views.wishes()) == before


def test_the_overview_says_how_each_mirror_is(visit: Open, scene: Scene) -> None:
    page = visit("/")
    east = page.get_by_role("article", name=EAST)
    for said in ("3, 6.07 MB", "what is live", "yes", "2 open, 1 grave", "71 GB of 250 GB free",
                 "epel are 9 days old", "read 25 min ago"):  # fmt: skip
        expect(east).to_contain_text(said)
    west = page.get_by_role("article", name=WEST)
    picture(page, "overview")
    expect(west).to_contain_text("does not answer")
    expect(west).to_contain_text("opening an SSH session")
    expect(page.locator("#failed-0")).to_contain_text("icesi/packages#5")
    page.evaluate("window.same = true")
    survey = scene.play.gate("pr22-runs survey")
    scene.put("pr22-runs", number=22)
    expect(page.locator("#work-0")).to_contain_text("icesi/packages#22")
    survey.set()
    expect(page.locator("#work-0")).to_contain_text("Nothing runs")
    assert page.evaluate("window.same"), "the page was loaded again"


def test_publications_are_compared_and_packages_have_a_history(visit: Open) -> None:
    page = visit(f"/mirrors/{EAST}")
    expect(page.locator("#snippet")).to_contain_text(f"mirrorlist=http://{EAST}/repo/")
    page.get_by_role("link", name="17", exact=True).click()
    diff = page.get_by_role("region", name=re.compile("Compared"))
    expect(diff).to_contain_text("was nmap-7.91-1.el9.x86_64")
    page.get_by_label("Compare with").select_option("15")
    expect(page).to_have_url(re.compile("against=15"))
    expect(diff).to_contain_text("telnet-0.17")
    diff.get_by_role("link", name="nmap").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("nmap-7.92-1.el9.x86_64")
    expect(rows.first).to_contain_text("live")
    expect(rows.last).to_contain_text("gone")


def test_what_strangers_plant_runs_in_no_page(visit: Open, scene: Scene) -> None:
    """In an author, a message, a package, an advisory, upstream's words, what a look found."""
    gate = scene.play.gate("hostile-live packages")
    scene.put("hostile-live", number=31, author=SCRIPT, base_ref=SCRIPT)
    scene.put("hostile-fails", WEST, number=32, author=SCRIPT, aim=MERGE)
    scene.await_state("hostile-fails", "failed")
    trouble = Trouble(SCRIPT, SCRIPT, "fail")
    sight = Sight(17, what=SCRIPT, served=SCRIPT, key=SCRIPT, signed=True, wrong=(trouble,))
    scene.look(
        lambda name, known: (
            Seen(sight, publications(time.time())) if name == WEST else see(name, known)
        )
    )
    page = visit("/updates/hostile-live")
    expect(page.locator(".log")).to_contain_text("window.ran=1")
    gate.set()
    expect(page.locator("#head-0 .pill")).to_have_text("published")
    expect(page.locator("#plan-0")).to_contain_text("onerror=")
    searched = f"/updates?text={quote(SCRIPT)}&author={quote(SCRIPT)}"
    for path in ("", "/updates/hostile-fails", "/", f"/mirrors/{WEST}", "/updates", searched,
                 f"/packages?name={quote(SCRIPT)}", f"/packages?name={quote('*')}"):  # fmt: skip
        if path:
            page.goto(path)
        assert page.locator("img").count() == 0, path
        assert page.evaluate("window.ran") is None, path
        assert "gm_analytics" in page.title(), path
        assert page.locator("script:not([src^='/static/'])").count() == 0, path
    page.goto("/updates/hostile-fails")
    expect(page.locator("#verdict-0")).to_contain_text("<script>window.ran=1</script>")


def test_updates_are_filtered_as_one_chooses(visit: Open) -> None:
    page = visit("/updates")
    rows = page.locator("#results-0 tbody tr")
    page.get_by_label("state").select_option("failed")
    expect(page).to_have_url(re.compile(r"/updates\?state=failed$"))
    expect(rows.first).to_contain_text("failed")
    expect(rows.filter(has_text="published")).to_have_count(0)
    page.get_by_label("state").select_option("superseded")
    expect(page.locator("#results-0")).to_contain_text("No update is like that")
    page.get_by_label("mirror").select_option(WEST)
    page.get_by_label("state").select_option("")
    expect(rows.last).to_contain_text("icesi/packages#2")
    page.reload()
    expect(page.get_by_label("mirror")).to_have_value(WEST)
    expect(rows.last).to_contain_text("icesi/packages#2")
    page.get_by_label("mirror").select_option("")
    page.get_by_label("text", exact=True).type("nmap-ncat #3")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("icesi/packages#3")
    page.get_by_label("text", exact=True).fill("")
    page.get_by_label("pull request").fill("icesi/packages#4")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("previewed")


def test_pages_work_without_javascript(visit: Open) -> None:
    page = visit("/updates", java_script_enabled=False)
    page.get_by_label("mirror").select_option(EAST)
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(f"mirror={EAST}"))
    page.get_by_role("link", name="icesi/packages#3", exact=True).click()
    expect(page.locator("#plan-0")).to_contain_text("nmap-7.92-1.el9")
    expect(page.locator("#plan-0")).to_contain_text("RHSA-2026:1187")


def test_the_keyboard_is_enough(visit: Open) -> None:
    page = visit("/updates")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox").first).to_be_focused()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nobody_is_kept_out_and_nothing_is_cut_off(visit: Open, scheme: str) -> None:
    page = visit(PAGES[0], color_scheme=scheme)
    for name, path in DARK.items() if scheme == "dark" else ():
        page.goto(path)
        picture(page, name)
    for path in PAGES:
        page.goto(path)
        # Both schemes have the same elements; what differs is their contrast.
        assert barriers(page, "color-contrast" if scheme == "dark" else "") == [], path
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        page.set_viewport_size(WIDE)
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(15, 18, 22)") == (scheme == "dark")


def test_on_a_phone_nobody_is_kept_out_either(visit: Open) -> None:
    page = visit("/updates/unknown-packages", viewport=PHONE)
    picture(page, "phone")
    for path in ("/", "/updates", "/updates/pr3-published"):
        page.goto(path)
        assert barriers(page) == [], path


def test_pages_may_run_and_load_their_own_files_and_no_others(scene: Scene) -> None:
    for path in PAGES:
        reply = requests.get(scene.url + path, headers={"Accept": "text/html"}, timeout=10)
        assert reply.headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        tags = re.sub('"[^"]*"', "", reply.text)
        assert not re.search("<style|<[^>]* (style|on[a-z]+)=|<script(?! src=)", tags)
        assert reply.headers["cache-control"] == "no-store"
    for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', reply.text):
        found = requests.get(scene.url + name, timeout=10)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
    assert requests.get(f"{scene.url}/static/base.html", timeout=10).status_code == 404


def test_there_may_be_no_such_page(scene: Scene) -> None:
    for path in ("/updates/nothing", "/nothing"):
        reply = requests.get(scene.url + path, headers={"Accept": "text/html"}, timeout=10)
        assert reply.status_code == 404
    page = {"Accept": "text/html"}
    reply = requests.get(f"{scene.url}/updates/nothing", headers=page, timeout=10)
    assert "update nothing: unknown" in reply.text
