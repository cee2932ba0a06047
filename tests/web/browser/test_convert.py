"""Convert in a real browser: files, the microphone, two recordings on one playhead, settings."""

import io
import re

import numpy as np
import pytest
import soundfile
import soxr

READ_DRAWINGS = """(card) => {
  const waves = [...card.querySelectorAll(".wave > div > div")]
    .map((host) => host.shadowRoot.querySelector(".canvases canvas"));
  const probe = document.createElement("i");
  probe.style.color = "var(--pitch)";
  document.body.append(probe);
  const pitch = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  return [...waves, ...card.querySelectorAll("canvas.mel")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) {
      if ([0, 1, 2].every((c) => Math.abs(pitch[c] - data[i + c]) < 4)) n++;
    }
    return [new Set(new Uint32Array(data.buffer)).size, n];
  });
}"""


@pytest.fixture
def convert_page(open_page, site):
    """The view Convert, with no recordings left of other tests."""
    for upload in site.call("GET", "/api/uploads"):
        site.call("DELETE", f"/api/uploads/{upload['id']}")
    return open_page("convert")


def choose(page, *paths):
    page.locator("[data-intake=convert] input[type=file]").set_input_files(paths)
    page.wait_for_function(
        "n => document.querySelectorAll('[data-intake=convert] .file .play').length === n",
        arg=len(paths),
    )


def convert(page):
    """Press Convert and return the newest result."""
    n_before = page.locator("#convert-results article").count()
    page.locator("#convert-go").click()
    page.wait_for_function(
        "n => document.querySelectorAll('#convert-results article').length > n", arg=n_before
    )
    newest = page.locator("#convert-results article").first
    newest.locator(".ab-time").wait_for()
    return newest


def read_wav(site, path):
    samples, rate = soundfile.read(io.BytesIO(site.read(path)))
    return samples, rate


def test_an_upload_is_converted_and_both_are_heard_on_one_playhead(convert_page, site, talk):
    page = convert_page
    assert page.locator("#convert-results .empty").is_visible()
    choose(page, talk)
    page.get_by_role("radio", name="george").check()
    result = convert(page)
    (job,) = [job for job in site.call("GET", "/api/jobs") if job["title"] == "talk.wav to george"]
    (item,) = job["result"]["items"]
    assert item["seconds"] == pytest.approx(3.0)
    with page.expect_download() as download:
        result.get_by_role("link", name="Download talk.wav").click()
    assert download.value.suggested_filename == "talk.george.wav"
    assert download.value.path().read_bytes() == site.read(item["audio"])

    # both sides are drawn: neither waveform nor spectrogram is of one colour, and over the
    # spectrograms lies the pitch, a line of hundreds of pixels in its own colour
    drawn = result.evaluate(READ_DRAWINGS)
    assert len(drawn) == 4 and min(n_colours for n_colours, _ in drawn) > 5
    assert min(n_pitch for _, n_pitch in drawn[2:]) > 300

    player = result.locator(".ab")
    assert player.locator(".playhead").count() == 1
    assert player.get_attribute("data-heard") == "B"
    player.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.querySelector('.ab-seek').value > 0.2")
    before = float(player.locator(".ab-seek").input_value())
    player.get_by_role("radio", name="A Original").check()
    assert player.get_attribute("data-heard") == "A"
    page.wait_for_function(f"() => document.querySelector('.ab-seek').value > {before}")
    assert player.get_by_role("button", name="Pause").is_visible()  # switching stops nothing
    page.keyboard.press("b")
    assert player.get_attribute("data-heard") == "B"
    player.get_by_role("button", name="Pause").click()
    # a click seeks: the playhead stands there, over both waveforms
    box = player.locator(".ab-stage").bounding_box()
    player.locator(".ab-seek").click(position={"x": box["width"] / 2, "y": 20})
    box = player.locator(".ab-stage").bounding_box()
    assert float(player.locator(".ab-seek").input_value()) == pytest.approx(1.5, abs=0.06)
    head = player.locator(".playhead").bounding_box()
    assert head["x"] - box["x"] == pytest.approx(box["width"] / 2, rel=0.05)
    assert head["height"] >= box["height"]
    player.locator(".ab-seek").press("ArrowRight")
    assert float(player.locator(".ab-seek").input_value()) == pytest.approx(1.75, abs=0.06)


def test_several_files_come_out_as_one_archive_and_bad_ones_say_why(convert_page, talk, tmp_path):
    page = convert_page
    bad = tmp_path / "letter.wav"
    bad.write_text("no sound at all")
    second = tmp_path / "second.wav"
    second.write_bytes(talk.read_bytes())
    choose(page, talk, second)
    page.locator("[data-intake=convert] input[type=file]").set_input_files([bad])
    page.locator(".file.failed").wait_for()
    words = page.locator(".file.failed .file-facts").inner_text()
    assert words.endswith(".") and "audio" in words and "letter.wav" not in words
    assert page.locator("#convert-go").inner_text().startswith("Convert 2 recordings to ")
    result = convert(page)
    assert result.locator(".item-name").all_inner_texts() == ["talk.wav", "second.wav"]
    with page.expect_download() as download:
        result.get_by_role("link", name="Download all").click()
    assert download.value.suggested_filename.endswith(".zip")
    page.get_by_role("button", name="Remove letter.wav").click()
    page.get_by_role("button", name="Remove all: Recordings").click()
    page.wait_for_function("() => !document.querySelector('[data-intake=convert] .file')")
    page.locator("#convert-go").click()
    assert page.locator("#convert-hint").inner_text() == "Add a recording first."
    assert page.evaluate("document.activeElement.textContent") == "Choose files"


def test_the_microphone_is_recorded_as_it_is(convert_page, site, spoken, best_match):
    page = convert_page
    page.get_by_role("button", name="Record: Recordings").click()
    page.wait_for_function("() => document.querySelector('.recording-time').textContent >= '0:02'")
    page.get_by_role("button", name="Stop: Recordings").click()
    page.locator("[data-intake=convert] .file .play").wait_for()
    (upload,) = site.call("GET", "/api/uploads")
    assert re.fullmatch(r"recording \d\d\.\d\d\.\d\d\.wav", upload["name"])
    assert upload["seconds"] >= 2
    heard, rate = read_wav(site, f"/api/uploads/{upload['id']}/audio")
    said = soxr.resample(soundfile.read(spoken)[0], 48_000, rate)  # the sound card's rate
    assert rate == upload["sample_rate"]
    part = heard[rate // 2 : 3 * rate // 2]  # a second, free of the microphone's start
    looped = np.concatenate([said, said])
    energy = np.sqrt(np.sum(part**2))
    sums = np.cumsum(looped**2)
    loudest = np.sqrt((sums[len(part) :] - sums[: -len(part)]).max())
    # nothing was levelled, gated or cancelled: the best match is the file itself
    assert energy > 0.1 * loudest
    assert best_match(looped, part) == pytest.approx(energy * energy, rel=0.05)
    result = convert(page)
    assert result.locator(".item-name").inner_text() == upload["name"]
    newest = site.call("GET", "/api/jobs")[-1]
    assert newest["result"]["items"][0]["seconds"] == pytest.approx(upload["seconds"], abs=1e-3)


def test_settings_are_kept_after_a_reload(convert_page):
    page = convert_page
    page.get_by_role("radio", name="michael").check()
    pitch = page.get_by_role("slider", name="Semitones")
    pitch.focus()
    for _ in range(4):  # half a semitone each
        page.keyboard.press("ArrowRight")
    assert page.locator("#pitch-value").inner_text() == "+2 semitones"
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Colours: light").click()
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.get_by_role("radio", name="michael").is_checked()
    assert page.locator("#pitch-value").inner_text() == "+2 semitones"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("button", name="Colours: dark").is_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Colours: dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_pitch_and_file_are_chosen_and_kept_after_a_reload(convert_page, site, talk):
    page = convert_page
    choose(page, talk)
    for kind, suffix in (("Sing", "FLAC"), ("Keep", "MP3")):
        page.get_by_role("radio", name=kind).check()
        assert page.get_by_role("slider", name="Semitones").count() == 0  # it acts on auto alone
        page.get_by_role("radio", name=suffix).check()
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.get_by_role("radio", name="Keep").is_checked()
    assert page.locator("#pitch-hint").inner_text() == "As high as the recording is."
    result = convert(page)
    with page.expect_download() as download:
        result.get_by_role("link", name="Download talk.wav").click()
    assert download.value.suggested_filename.endswith(".mp3")
    newest = site.call("GET", "/api/jobs")[-1]
    assert (newest["options"]["pitch"], newest["options"]["format"]) == ("keep", "mp3")
    assert newest["options"]["second_pass"] is None and not newest["options"]["file_stats"]
    page.get_by_role("radio", name="Auto").check()
    page.get_by_role("slider", name="Semitones").wait_for()
    page.get_by_role("radio", name="WAV").check()


def test_settings_of_some_voices_are_shown_for_those(
    convert_page, site, make_voice, talk, tmp_path
):
    page = convert_page
    second_pass = page.get_by_role("slider", name="Second pass")
    another = page.get_by_role("checkbox", name="File statistics")
    assert second_pass.count() == another.count() == 0
    make_voice(is_any_to_one=False, name="older").save(tmp_path / "older.safetensors")
    page.locator("#voice-file").set_input_files(tmp_path / "older.safetensors")
    page.get_by_role("radio", name="older").check()
    second_pass.fill("0.5")
    another.check()
    choose(page, talk)
    convert(page)
    options = site.call("GET", "/api/jobs")[-1]["options"]
    assert (options["second_pass"], options["file_stats"]) == (0.5, True)
    site.call("DELETE", "/api/voices/older")


def test_two_windows_see_the_same(convert_page, open_page, talk):
    other = open_page("jobs", size="narrow")
    choose(convert_page, talk)
    convert(convert_page)
    other.locator("#job-list article", has_text="talk.wav to").first.wait_for()
    other.get_by_role("link", name="Convert", exact=True).click()
    other.locator("[data-intake=convert]").get_by_role("button", name="Play talk.wav").wait_for()


def test_a_voice_is_heard_until_it_is_stopped(convert_page):
    play = convert_page.get_by_role("button", name="Hear heart", exact=True).first
    play.click()
    assert play.get_attribute("aria-pressed") == "true"
    convert_page.get_by_role("button", name="Hear emma", exact=True).first.click()
    assert play.get_attribute("aria-pressed") == "false"  # one sound at a time
    convert_page.get_by_role("button", name="Hear emma", exact=True).first.click()
    assert convert_page.locator(".play[aria-pressed=true]").count() == 0
