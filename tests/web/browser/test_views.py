"""Every view: accessible by axe-core, within the window, reachable by keyboard."""

import os

import pytest

VIEWS = ["convert", "voices", "train", "measure", "jobs"]
SERIOUS = {"serious", "critical"}
INSIDE = """() => [...document.querySelectorAll("main *, header *")]
  .filter((e) => e.checkVisibility() && !e.closest(".sr-only, .skip"))
  .map((e) => [e, e.getBoundingClientRect()])
  .filter(([, box]) => box.right > innerWidth + 1 || box.left < -1)
  .map(([e]) => e.outerHTML.slice(0, 90))"""


@pytest.fixture(scope="module")
def axe():
    """axe-core; skipped without it unless VOXCYCLE_REQUIRE_BROWSER=1."""
    if "VOXCYCLE_REQUIRE_BROWSER" not in os.environ:
        pytest.importorskip("axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["narrow", "wide"])
def test_views_have_no_serious_fault_and_stay_in_the_window(open_page, axe, scheme, size):
    page = open_page("convert", size, color_scheme=scheme, reduced_motion="reduce")
    for view in VIEWS:
        page.evaluate("(view) => { location.hash = view; }", view)
        page.locator(f"#view-{view}").wait_for()
        for tab in ("tab-clone", "tab-train") if view == "train" else (None,):
            if tab:
                page.locator(f"#{tab}").click()
            found = axe.run(page).response
            assert len(found["passes"]) > 10  # it has looked at something
            faults = [v for v in found["violations"] if v["impact"] in SERIOUS]
            assert not faults, f"{view}: {[(v['id'], v['nodes'][0]['html']) for v in faults]}"
            assert page.evaluate(INSIDE) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_views_are_reached_by_keyboard_and_named(open_page):
    page = open_page("convert")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for view, title in (("voices", "Voices"), ("train", "Make a voice"), ("jobs", "Jobs")):
        link = page.locator(f".tabs a[data-view={view}]")
        link.focus()
        page.keyboard.press("Enter")
        page.locator(f"#view-{view}").wait_for()
        assert page.title() == f"{title} · voxcycle"
        assert link.get_attribute("aria-current") == "page"
        assert page.evaluate("document.activeElement.textContent") == title
    page.go_back()
    page.locator("#view-train").wait_for()


def test_tabs_follow_the_arrow_keys(open_page):
    page = open_page("train")
    page.locator("#tab-clone").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-train"
    assert page.locator("#panel-train").is_visible() and page.locator("#panel-clone").is_hidden()


def test_a_voice_is_shown_renamed_and_deleted(open_page, site, make_voice, tmp_path):
    page = open_page("voices")
    make_voice(name="mine").save(tmp_path / "mine.safetensors")
    page.locator("#voice-file").set_input_files(tmp_path / "mine.safetensors")
    card = page.get_by_role("article", name="mine")
    card.get_by_role("button", name="Rename mine").click()
    page.locator("dialog").get_by_label("Name").fill("ours")
    page.locator("dialog").get_by_role("button", name="Rename", exact=True).click()
    page.get_by_role("article", name="ours").wait_for()
    assert "ours" in {voice["name"] for voice in site.call("GET", "/api/voices")}
    page.get_by_role("button", name="Show all facts of ours").click()
    facts = page.locator("dialog .facts").inner_text()
    assert "converts" in facts and "anyone" in facts
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete ours").click()
    page.evaluate("location.hash = 'jobs'")
    page.locator("#view-jobs").wait_for()
    assert page.locator("dialog").is_hidden()  # a question ends with its view
    page.go_back()
    page.get_by_role("button", name="Delete ours").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("article", name="ours").wait_for(state="detached")
    assert "ours" not in {voice["name"] for voice in site.call("GET", "/api/voices")}
    open_page.refusals.append(422)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no voice")
    page.locator("#voice-file").set_input_files(bad)
    assert page.locator(".notice.error").inner_text().strip()


def test_a_page_goes_on_after_a_restart_of_the_server(run_site, chromium, tmp_path, talk):
    with run_site(tmp_path) as site:
        page = chromium.new_page()
        page.goto(f"{site.url}/#convert")
        page.wait_for_selector("body[data-ready]")
    page.locator("#offline").wait_for()
    with run_site(tmp_path, site.url.rpartition(":")[2]) as again:
        assert again.url == site.url and again.csrf != site.csrf
        page.locator("#offline").wait_for(state="hidden")
        page.locator("[data-intake=convert] input[type=file]").set_input_files(talk)
        page.get_by_role("button", name="Play talk.wav").wait_for()
        assert [upload["name"] for upload in again.call("GET", "/api/uploads")] == ["talk.wav"]
        page.close()
