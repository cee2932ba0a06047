import base64
import io
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.report.histograms import draw_histograms
from voxcycle.evaluation.report.html_report import write_page
from voxcycle.evaluation.report.pictures import draw_mel
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import DSP_BASELINE, TARGET, UNCONVERTED, Sentence, Speaker

HOSTILE = "<script>alert('x')</script> & \"q\" \udcff"
N_PER_SPEAKER = 6
RATE = 44_100  # neither the analysis rate nor one that the pictures are made at
SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}


class Page(HTMLParser):
    """Tags with their attributes, and the text of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def make_scores(row: str, speaker: str, sentence: str, i: int) -> UtteranceScores:
    """Scores that differ from sentence to sentence; what row 3 and 7 lack stays empty."""
    return UtteranceScores(
        row,
        speaker,
        sentence,
        duration_s=7.5 + i,  # of which text order would put 10.5 before 7.5
        secs_target=0.9 - 0.05 * ((5 * i) % 12),
        secs_source=None if row == TARGET else 0.5,
        words=None if i == 3 else ErrorCount(i % 4, 10),
        characters=None if i == 3 else ErrorCount(i, 40),
        transcript=f"{HOSTILE} heard",
        distillmos=4.0,
        dnsmos=3.0 + i / 10,
        pitch=PitchErrors(100, 50, 5, 10, sum_square=45.0) if i != 7 else None,
        failures=(f"pitch: {HOSTILE}",) if i == 7 and row == "unit" else (),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def evaluated(folder: Path, make_speech, voice) -> tuple[Evaluation, tuple[Speaker, ...]]:
    """Twelve sentences of two speakers; the second speaker has parallel recordings, stereo."""
    parallel = folder / "parallel.wav"
    speech = make_speech(0.8, 16_000, 200.0)
    soundfile.write(parallel, np.column_stack([speech, speech]), 16_000)
    speakers = tuple(
        Speaker(
            name,
            "en",
            tuple(
                Sentence(f"s{n} {HOSTILE}", Path("unused"), text, target)
                for n in range(first, first + N_PER_SPEAKER)
            ),
            (),
        )
        for name, first, text, target in (
            (HOSTILE, 0, HOSTILE, None),
            ("bea", N_PER_SPEAKER, None, parallel),
        )
    )
    sentences = [(speaker.name, s.name) for speaker in speakers for s in speaker.sentences]
    waves = {f0_hz: make_speech(0.6, RATE, f0_hz) for f0_hz in (120.0, 160.0, 210.0)}
    audio = []
    for row, f0_hz in (
        (UNCONVERTED, 120.0),
        (TARGET, 210.0),
        (DSP_BASELINE, 160.0),
        ("unit", 210.0),
    ):
        of_row = [("unit target", "other")] if row == TARGET else sentences
        for i, (speaker, name) in enumerate(of_row):
            scores = make_scores(row, speaker, name, i)
            audio.append(Scored(scores, waves[f0_hz], RATE))
    # Sentence 5 could not be rendered: the worst of all.
    failed = UtteranceScores("unit", *sentences[5], failures=("rendering: too <b>short</b>",))
    audio[-len(sentences) + 5] = Scored(failed, None, RATE)
    about: dict[str, Any] = {
        "voice": voice.card.name,
        "voice_sha256": "0123456789abcdef0",
        "training": {"steps": 7},
        "vocoder": "griffin-lim",
        "second_pass": 0.25,
        "target": "unit target",
        "languages": {HOSTILE: "en", "bea": "en"},
        "asr": HOSTILE,
        "date": "2026-11-22T23:56:11+00:00",
        "wall_s": 1.5,
        "cost": {"audio_s": 2.0, "real_time_factor": {"mel": 0.1, "whole": 0.1}},
        "machine": {"cpu": "abacus", "threads": 1},
    }
    return Evaluation(about, [scored.scores for scored in audio], audio), speakers


@pytest.fixture(scope="module")
def page_path(folder: Path, evaluated, voice) -> Path:
    path = folder / "new" / "report.html"
    write_page(path, *evaluated, voice)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]  # no partial file is left
    return path


@pytest.fixture(scope="module")
def page(page_path: Path) -> Page:
    return Page(page_path.read_text(encoding="utf-8"))


def decode(source: str) -> io.BytesIO:
    assert source.startswith("data:")
    return io.BytesIO(base64.b64decode(source.split(",", 1)[1], validate=True))


def test_names_are_text(page: Page):
    assert len(page.all("script")) == 1 and not page.all("b")
    spelled = HOSTILE.replace("\udcff", "\\udcff")
    assert f"pitch: {spelled}" in page.text and f"s0 {spelled}" in page.text
    assert "rendering: too <b>short</b>" in page.text
    assert "Second pass" in page.text and "0.25" in page.text


def test_everything_is_inside(page: Page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "url(" not in page.text and "@import" not in page.text and "fetch(" not in page.text


def test_players_hold_the_audio(page: Page):
    players = page.all("audio")
    # Of 12 utterances each: source, target, baseline; of all but the failed one: converted.
    assert len(players) == 4 * 12 - 1
    for player in players:
        assert player["preload"] == "none"
        samples, sample_rate = soundfile.read(decode(player["src"]))
        expected_s = 0.8 if "the same sentence" in player["aria-label"] else 0.6
        # The MP3 header tells the encoder's delay; at worst a frame of 576 samples is added.
        assert len(samples) / sample_rate == pytest.approx(expected_s, abs=576 / 22_050)
        assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.2  # speech, not silence
    labels = [player["aria-label"] for player in players]
    assert sum("unit target, the same sentence" in label for label in labels) == 6
    assert sum("unit target, another sentence (other)" in label for label in labels) == 6


def test_failures_are_at_the_front_of_both_tables(page_path: Path):
    """Where a narrow window does not cut them off."""
    html = page_path.read_text(encoding="utf-8")
    for table, before in (("summary", ["row", "n"]), ("utterances", ["sentence", "speaker"])):
        head = html.split(f'{table}">', 1)[1].split("</thead>", 1)[0]
        cells = [cell.split("</th>")[0] for cell in head.split("<th ")[1:]]
        names = [re.sub("<[^>]*>", "", cell.split(">", 1)[1]) for cell in cells]
        assert names[:3] == [*before, "failed"]


def test_the_worst_ten_come_first_and_open(page: Page, evaluated):
    evaluation, _ = evaluated
    own = [s for s in evaluation.scores if s.row == "unit"]
    expected = [s.sentence for s in sorted(own, key=lambda s: s.composite)]
    rows = [a for t, a in page.tags if t == "th" and a.get("scope") == "row" and "data-value" in a]
    assert [row["data-value"] for row in rows] == [
        name.replace("\udcff", "\\udcff") for name in expected
    ]
    assert expected[0] == evaluation.audio[-7].scores.sentence  # what could not be rendered
    start = next(i for i, (t, a) in enumerate(page.tags) if a.get("id") == "utterances")
    opened = ["open" in a for t, a in page.tags[start:] if t == "details"]
    assert opened == [True] * 10 + [False] * 2


def test_audio_is_required(tmp_path: Path, evaluated, voice):
    evaluation, speakers = evaluated
    with pytest.raises(ValueError, match="keep_audio=True"):
        write_page(
            tmp_path / "r.html", Evaluation(evaluation.about, evaluation.scores), speakers, voice
        )
    assert not list(tmp_path.iterdir())


def test_a_picture_shows_frequency_and_pitch():
    spec = MelSpec()
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(20 * spec.hop_length) / spec.sample_rate)
    contour = np.full(20, np.sqrt(60 * 700), np.float32)  # the middle of a logarithmic axis
    contour[5:8] = 0
    figure = draw_mel(tone.astype(np.float32), {"measured": contour}, LogMel(spec), 'a "tone"')
    drawn = Page(figure)
    (image,) = drawn.all("img")
    pixels = np.asarray(Image.open(decode(image["src"])))
    assert pixels.shape == (80, 20) and 'a "tone", 0.2 s' in image["alt"]
    # Bands by librosa; the darkest one holds 1 kHz, and it is counted from below.
    centres = librosa.mel_frequencies(82, fmin=0, fmax=8000)[1:-1]
    band = int(np.argmin(np.abs(centres - 1000)))
    assert 79 - int(pixels[:, 10].argmin()) == band
    (path,) = [p for p in drawn.all("path") if p["class"] == "measured"]
    pieces = path["d"].split("M")[1:]
    assert [piece.count("L") for piece in pieces] == [4, 11]  # 5 and 12 frames
    assert pieces[0].startswith("2.50 50.0")  # the first frame's centre, half-way up


def test_histograms_name_rows_and_medians():
    scores = [
        UtteranceScores(row, "s", str(i), secs_target=value, distillmos=None)
        for row, values in (("unconverted", (0.5, 0.6, 0.9)), ("ada <i>", (0.8,)))
        for i, value in enumerate(values)
    ]
    drawn = Page(draw_histograms(scores, "ada <i>"))
    (figure,) = drawn.all("svg")  # only of what was scored
    assert figure["aria-label"] == (
        "Histograms of SECS target: unconverted: median 0.600; ada <i>: median 0.800"
    )
    unconverted, own = (p["d"] for p in drawn.all("path") if p["class"] == "bars")
    assert (unconverted.count("Z"), own.count("Z")) == (3, 1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium, headless; skipped without it unless VOXCYCLE_REQUIRE_BROWSER=1."""
    chromium, is_required = shutil.which("chromium"), "VOXCYCLE_REQUIRE_BROWSER" in os.environ
    if chromium is None:
        (pytest.fail if is_required else pytest.skip)("chromium is not installed")
    if not is_required:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, page_path: Path) -> Iterator[Any]:
    """The page in the browser, freshly loaded."""
    page = browser.new_page(viewport=SIZES["wide"])
    page.goto(page_path.as_uri())
    yield page
    page.close()


def test_the_page_opens_without_errors_and_requests(browser: Any, page_path: Path):
    page, problems, requests = browser.new_page(), [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_path.as_uri())
    assert page.title() == "unit: evaluation of a voice"
    assert problems == []
    assert [url for url in requests if not url.startswith("data:")] == [page_path.as_uri()]
    page.close()


def test_players_and_pictures_load(opened: Any):
    opened.get_by_role("button", name="Open all").click()
    players = opened.evaluate(
        """() => Promise.all([...document.querySelectorAll("audio")].map((player) =>
          new Promise((resolve) => {
            player.onloadedmetadata = () => resolve([player.readyState, player.duration]);
            player.onerror = () => resolve([0, 0]);
            player.preload = "metadata";
            player.load();
          })))"""
    )
    pictures = opened.evaluate(
        """() => Promise.all([...document.querySelectorAll("img")].map(async (image) => {
          image.loading = "eager";
          await image.decode().catch(() => {});
          return [image.naturalWidth, image.naturalHeight, image.clientWidth];
        }))"""
    )
    assert len(players) == 47
    assert all(state >= 1 and 0.55 < duration < 0.85 for state, duration in players)
    assert len(pictures) == 12 + 11 + 6  # sources, converted, parallel recordings
    # 22,050 Hz in hops of 256: 51 frames of 0.6 s, 68 of 0.8 s.
    assert {tuple(p[:2]) for p in pictures} == {(51, 80), (68, 80)}
    assert all(p[2] > 100 for p in pictures)


def test_headings_sort_both_ways(opened: Any):
    read = """() => [...document.querySelector("#utterances").tBodies]
      .map((b) => [...b.rows[0].cells].map((c) => c.dataset.value))"""
    headings = opened.locator("#utterances thead th").all()
    initial = opened.evaluate(read)
    assert len(initial) == 12 and len(headings) > 8
    for column, heading in enumerate(headings):
        is_text = column < 2
        known = [row[column] for row in initial if row[column] != ""]
        expected = [k if is_text else float(k) for k in known]
        if is_text:  # "s2" before "s10"
            expected.sort(key=lambda k: int(k.split()[0][1:]) if column == 0 else k)
        else:
            expected.sort()
        # The column that is sorted at first goes the other way at the first click.
        directions = ["ascending", "descending"]
        if heading.get_attribute("aria-sort") == "ascending":
            directions.reverse()
        for direction in directions:
            heading.get_by_role("button").click()
            assert heading.get_attribute("aria-sort") == direction
            values = [row[column] for row in opened.evaluate(read)]
            shown = [k if is_text else float(k) for k in values[: len(known)]]
            assert shown == (expected if direction == "ascending" else expected[::-1])
            assert values[len(known) :] == [""] * (12 - len(known))  # empty cells come last
    sorted_by = [h.get_attribute("aria-sort") for h in headings]
    assert sorted_by == ["none"] * (len(headings) - 1) + ["descending"]


def test_headings_sort_by_keyboard(opened: Any):
    heading = opened.locator("#utterances thead th").first
    heading.get_by_role("button").focus()
    for key, direction in (("Enter", "ascending"), ("Space", "descending")):
        opened.keyboard.press(key)
        assert heading.get_attribute("aria-sort") == direction


@pytest.mark.parametrize("size", SIZES)
def test_the_page_does_not_scroll_sideways(opened: Any, size: str):
    opened.set_viewport_size(SIZES[size])
    opened.get_by_role("button", name="Open all").click()
    width, widest, outside, fixed = opened.evaluate(
        """() => {
        const inside = (e) => e.getBoundingClientRect().right <= innerWidth && e.clientWidth > 0;
        const parts = [...document.querySelectorAll("audio, .picture, svg, summary, h1, p")];
        return [innerWidth, document.documentElement.scrollWidth, parts.filter((e) => !inside(e))
          .map((e) => e.outerHTML.slice(0, 80)),
          [...document.querySelectorAll(".name")].map((e) => e.offsetWidth)];
        }"""
    )
    assert width == SIZES[size]["width"] and widest <= width
    assert outside == []  # players and pictures stay in view where the table is wider
    # The column that stays in view leaves room for the others, and is no ladder of letters.
    assert 100 < max(fixed) < SIZES["narrow"]["width"] / 2
