import base64
import io
import re
from html.parser import HTMLParser

import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.evaluation.report.html_report import write_page
from voxcycle.evaluation.report.pictures import draw_histograms, draw_mel
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.scores import UtteranceScores


class Page(HTMLParser):
    """Tags with their attributes, and the text of the page."""

    def __init__(self, html):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(page_path):
    return Page(page_path.read_text(encoding="utf-8"))


def decode(source):
    assert source.startswith("data:")
    return io.BytesIO(base64.b64decode(source.split(",", 1)[1], validate=True))


def test_names_are_text(page, evaluated):
    hostile = evaluated[1][0].name
    assert len(page.all("script")) == 1 and not page.all("b")
    spelled = hostile.replace("\udcff", "\\udcff")
    assert f"pitch: {spelled}" in page.text and f"s0 {spelled}" in page.text
    assert "rendering: too <b>short</b>" in page.text
    assert "Second pass" in page.text and "0.25" in page.text


def test_everything_is_inside(page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "url(" not in page.text and "@import" not in page.text and "fetch(" not in page.text


def test_players_hold_the_audio(page):
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


def test_failures_are_at_the_front_of_both_tables(page_path):
    """Where a narrow window does not cut them off."""
    html = page_path.read_text(encoding="utf-8")
    for table, before in (("summary", ["row", "n"]), ("utterances", ["sentence", "speaker"])):
        head = html.split(f'{table}">', 1)[1].split("</thead>", 1)[0]
        cells = [cell.split("</th>")[0] for cell in head.split("<th ")[1:]]
        names = [re.sub("<[^>]*>", "", cell.split(">", 1)[1]) for cell in cells]
        assert names[:3] == [*before, "failed"]


def test_the_worst_ten_come_first_and_open(page, evaluated):
    evaluation, _ = evaluated
    own = [s for s in evaluation.scores if s.row == "unit"]
    expected = [s.sentence for s in sorted(own, key=lambda s: s.composite)]
    rows = [a for t, a in page.tags if t == "th" and a.get("scope") == "row" and "data-value" in a]
    spelled = [name.replace("\udcff", "\\udcff") for name in expected]
    assert [row["data-value"] for row in rows] == spelled
    assert expected[0] == evaluation.audio[-7].scores.sentence  # what could not be rendered
    start = next(i for i, (t, a) in enumerate(page.tags) if a.get("id") == "utterances")
    opened = ["open" in a for t, a in page.tags[start:] if t == "details"]
    assert opened == [True] * 10 + [False] * 2


def test_audio_is_required(tmp_path, evaluated, voice):
    evaluation, speakers = evaluated
    silent = Evaluation(evaluation.about, evaluation.scores)
    with pytest.raises(ValueError, match="keep_audio=True"):
        write_page(tmp_path / "r.html", silent, speakers, voice)
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
