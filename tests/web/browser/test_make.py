"""Make a voice in a real browser: a clone, a data report, a tiny training stopped and resumed."""

import json
import re

import numpy as np
import pytest
import soundfile

SMALL = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": [4, 4, 4, 4],
    "batch_size": 2,
    "threads": 1,
    "spectrum_width": 0,
    "samples": 0,
    "checkpoint_every": 5,
    "prepares": False,
    "separates_pitch": False,  # WORLD would take most of the time here
    "from_scratch": True,  # the pretrained networks have the default size
    "seed": 3,
}


@pytest.fixture(scope="module")
def speakers(tmp_path_factory, write_clips):
    """Six clips of eleven seconds of two speakers, by name."""
    root = tmp_path_factory.mktemp("speakers")
    for name, f0_hz in (("low", 110.0), ("high", 210.0)):
        write_clips(root / name, 6, 11.0, f0_hz)
    return {name: sorted((root / name).iterdir()) for name in ("low", "high")}


@pytest.fixture
def page(open_page, site):
    """The view, with no recordings left of other tests."""
    for upload in site.call("GET", "/api/uploads"):
        site.call("DELETE", f"/api/uploads/{upload['id']}")
    return open_page("train")


def add_files(page, place, paths):
    page.locator(f"[data-intake={place}] input[type=file]").first.set_input_files(paths)
    page.wait_for_function(
        "([selector, n]) => document.querySelectorAll(selector).length === n",
        arg=[f"[data-intake={place}] .file .play", len(paths)],
    )


def test_a_clone_is_made_heard_and_converted_to(page, site, speakers, make_speech, tmp_path):
    page.get_by_role("button", name="Clone", exact=True).click()
    assert page.locator("#clone-hint").inner_text() == "Add recordings of the person first."
    clipped = tmp_path / "clipped.wav"
    soundfile.write(clipped, (15 * make_speech(6.0, 16_000, 210.0)).clip(-1, 1), 16_000)
    add_files(page, "clone", [*speakers["high"][:3], clipped])
    page.get_by_role("button", name="Clone", exact=True).click()
    assert page.locator("#clone-hint").inner_text() == "Fill in: name."
    page.get_by_role("textbox", name="Name", exact=True).fill("like-ann")
    page.get_by_label("Sex").first.select_option("woman")
    page.get_by_role("textbox", name="Consent").fill("Ann agreed to this use")
    page.get_by_role("button", name="Clone", exact=True).click()
    assert page.locator("#clone-hint").inner_text().startswith("Tick the box")
    page.get_by_label("This person agreed that I make this voice.").check()
    page.get_by_role("button", name="Clone", exact=True).click()
    made = page.locator("#clone-results article", has_text="like-ann")
    made.get_by_role("button", name="Hear like-ann").wait_for(timeout=60_000)
    assert "clipped.wav: clipped" in made.locator(".notes").inner_text()
    voice = site.call("GET", "/api/voices/like-ann")
    assert voice["card"]["consent"] == "Ann agreed to this use" and voice["sex"] == "woman"
    made.get_by_role("link", name="Convert to it").click()
    assert page.get_by_role("radio", name="like-ann").is_checked()
    assert page.locator("#view-convert").is_visible()


def test_recordings_are_looked_at_before_a_training(page, speakers, make_speech, tmp_path):
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Check the recordings").click()
    assert page.locator("#report-hint").inner_text() == "Add recordings on both sides first."
    clipped = tmp_path / "clipped.wav"
    soundfile.write(clipped, (15 * make_speech(11.0, 16_000, 210.0)).clip(-1, 1), 16_000)
    add_files(page, "train-b", [*speakers["high"][:2], clipped])
    add_files(page, "train-a", speakers["low"][:2])
    page.get_by_role("button", name="Check the recordings").click()
    page.locator(".report-side").nth(1).wait_for(timeout=60_000)
    wanted, other = page.locator(".report-side").all()
    assert "2 clips kept, 1 dropped:" in wanted.inner_text() and "1 clipped" in wanted.inner_text()
    assert "2 clips kept, none dropped." in other.inner_text()
    assert wanted.locator(".big").inner_text().startswith("22.2 s of 33.0 s")
    wanted.locator(".dropped summary").click()
    assert wanted.get_by_text("clipped.wav").is_visible()
    wanted.locator("canvas.mel").nth(1).wait_for()
    wanted.get_by_text("Lengths, noise and pitch of all clips").click()
    page.wait_for_function("() => document.querySelector('.all-clips img').naturalWidth > 500")
    assert wanted.get_by_role("button", name="Hear 0.wav").is_visible()


@pytest.fixture
def train_page(page):
    """The form of a training, whose request is made tiny on its way to the server."""

    def make_tiny(route):
        body = json.loads(route.request.post_data or "{}")
        if body.get("kind") == "train":
            assert body.pop("minutes") == 15
            body |= {"steps": 60, "settings": SMALL}
            return route.continue_(post_data=json.dumps(body))
        return route.continue_()

    page.route("**/api/jobs", make_tiny)
    page.get_by_role("tab", name="Train").click()
    return page


def test_a_training_is_watched_stopped_and_resumed(train_page, site, speakers):
    page = train_page
    folder = speakers["high"][0].parent
    (folder / "notes.txt").write_text("no recording")
    page.locator("[data-intake=train-b] input[webkitdirectory]").set_input_files(folder)
    add_files(page, "train-a", speakers["low"])
    page.locator("[data-intake=train-b]").get_by_text("of 5:00 min").wait_for()
    assert page.locator("[data-intake=train-b] .file-name").all_inner_texts() == [
        path.name for path in speakers["high"]
    ]
    form = page.locator("#train-form")
    form.get_by_role("textbox", name="Name", exact=True).fill("ann")
    form.get_by_label("Consent").fill("Ann and Ben agreed to this use")
    form.get_by_label("Both people agreed that I make this voice.").check()
    form.get_by_role("button", name="Train", exact=True).click()
    card = page.locator("#train-results article")
    card.locator(".chart").first.wait_for(timeout=120_000)
    page.reload()  # a training survives it
    page.wait_for_selector("body[data-ready]")
    card.get_by_role("button", name="Stop: train").click()
    card.get_by_text("stopped", exact=True).wait_for(timeout=60_000)
    (job,) = [job for job in site.call("GET", "/api/jobs") if job["kind"] == "train"]
    stopped_at = job["result"]["losses"][-1]["step"]
    assert 0 < stopped_at < 60
    assert card.locator(".chart b").count() == len(job["result"]["losses"][-1]) - 1
    card.get_by_role("button", name="Use the best so far").click()
    use = card.locator(".use")
    use.get_by_role("button", name="Hear ann").wait_for(timeout=120_000)
    assert use.locator(".chip.done").count() == 1
    used_at = site.call("GET", "/api/voices/ann")["card"]["training"]["steps"]
    (made,) = [each for each in site.call("GET", "/api/jobs") if each["kind"] == "use"]
    assert stopped_at <= used_at == made["result"]["step"] < 60
    card.get_by_role("button", name="Go on").click()
    card.locator(":scope > .made-box").get_by_role("button", name="Hear ann").wait_for(
        timeout=120_000
    )
    job = site.call("GET", f"/api/jobs/{job['id']}")
    steps = [point["step"] for point in job["result"]["losses"]]
    assert job["status"] == "done" and job["result"]["voices"] == ["ann"]
    assert steps == sorted(set(steps)) and steps[-1] == 60
    assert site.call("GET", "/api/voices/ann")["card"]["training"]["steps"] == 60
    page.get_by_role("link", name="Voices").click()
    page.get_by_role("article", name="ann", exact=True).wait_for()


def test_a_name_that_is_taken_is_refused_in_the_servers_words(page, open_page, speakers):
    open_page.refusals.append(409)
    add_files(page, "clone", [*speakers["high"][:1]])
    page.get_by_role("textbox", name="Name", exact=True).fill("heart")
    page.get_by_role("textbox", name="Consent").fill("Ann agreed to this use")
    page.get_by_label("This person agreed that I make this voice.").check()
    page.get_by_role("button", name="Clone", exact=True).click()
    page.locator("#clone-hint.error").wait_for()
    assert "heart" in page.locator("#clone-hint").inner_text()


def test_the_queue_is_moved_and_stopped_from_the_page(page, site, speakers, tmp_path):
    for path in (*speakers["low"], *speakers["high"]):  # long: the first job takes a while
        waveform, rate = soundfile.read(path)
        soundfile.write(tmp_path / f"{path.parent.name}-{path.name}", np.tile(waveform, 12), rate)
    add_files(page, "clone", sorted(tmp_path.iterdir()))
    ids = [upload["id"] for upload in site.call("GET", "/api/uploads")]
    page.get_by_role("link", name="Jobs").click()
    wanted = [{"kind": "report", "a": ids[:n], "b": []} for n in (12, 3, 2, 1)]
    jobs = [site.call("POST", "/api/jobs", body)["id"] for body in wanted]
    titles = page.locator("#job-list article h2")
    last = page.get_by_role("article", name="look at 1 recording")
    last.get_by_role("button", name="Move up").click()
    page.wait_for_function(
        "() => document.querySelectorAll('#job-list h2')[2].textContent === 'Look at 1 recording'"
    )
    shown = ["Look at 3 recordings", "Look at 1 recording", "Look at 2 recordings"]
    assert titles.all_inner_texts()[1:4] == shown
    for n in (3, 1, 2, 12):  # the one that runs, for many seconds, at last
        card = page.get_by_role("article", name=re.compile(f"look at {n} recording"))
        card.get_by_role("button", name="Stop").click()
        card.get_by_text("stopped", exact=True).wait_for()
    found = {job["id"]: job["status"] for job in site.call("GET", "/api/jobs")}
    assert [found[job] for job in jobs] == ["stopped"] * 4
