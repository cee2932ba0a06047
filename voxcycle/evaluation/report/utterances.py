"""The utterances of a voice as a sortable HTML table, each with its players and pictures."""

from collections import defaultdict
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ, extract_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.evaluation.metrics.pitch import requested_f0
from voxcycle.evaluation.report.pictures import draw_mel, draw_player
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import MEASURES, print_value
from voxcycle.evaluation.systems import (
    DSP_BASELINE,
    TARGET,
    UNCONVERTED,
    Sentence,
    Speaker,
    Wave,
    system_name,
)
from voxcycle.voices.voice import Voice

N_OPEN = 10
LEGEND = (
    f'<p class="small key">F0, {F0_MIN_HZ:.0f}-{F0_MAX_HZ:.0f} Hz on a logarithmic axis: '
    '<i class="measured">measured</i>, <i class="requested">requested</i>. Seconds below. '
    "The mel bands are spread over the height, low ones at the bottom.</p>"
)
MAX_WITH_BASELINE = 40  # utterances; with more, its players would make the file too large


class Utterance(NamedTuple):
    """A converted sentence and what it is heard beside."""

    sentence: Sentence
    converted: Scored
    source: Scored
    baseline: Scored
    other_target: Scored | None  # another sentence, None where nothing of the target is at hand


class Recording(NamedTuple):
    """What is played at the rate of the mel analysis, and its F0 contours if it is also drawn."""

    label: str
    waveform: Wave | None
    contours: dict[str, Wave]


class Column(NamedTuple):
    """A column of the table: text, or a number and how it is printed."""

    heading: str
    form: str
    value: Callable[[UtteranceScores], float | str | None]


def draw_utterances(evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice) -> str:
    """Return the section of the voice's utterances, the worst first and the first ten open."""
    utterances = _collect(evaluation, sources, voice)
    columns = _columns([u.converted.scores for u in utterances])
    headings = "".join(_heading(column) for column in columns)
    with_baseline = len(utterances) <= MAX_WITH_BASELINE
    drawer = _Drawer(voice, evaluation.about.get("target") or "", with_baseline)
    bodies = "\n".join(
        _body(u, columns, drawer.details(u), is_open=i < N_OPEN) for i, u in enumerate(utterances)
    )
    return f"""<section>
<h2>Utterances of {escape(voice.card.name)}</h2>
<p>The worst come first, by a composite of similarity to the target, characters kept and predicted
naturalness, 0 to 1 each; it orders and is no result. A click on a heading sorts by it, another one
the other way.</p>
<p class="tools"><button type="button" data-open="all">Open all</button>
<button type="button" data-open="">Close all</button></p>
<div class="scroller" tabindex="0" role="region" aria-label="Utterances">
<table id="utterances">
<thead><tr>{headings}</tr></thead>
{bodies}
</table>
</div>
</section>"""


def _collect(evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice) -> list[Utterance]:
    """Return the voice's utterances, worst first."""
    rows: defaultdict[str, list[Scored]] = defaultdict(list)
    for scores, scored in zip(evaluation.scores, evaluation.audio, strict=True):
        rows[scores.row].append(scored._replace(scores=scores))
    sentences = [sentence for speaker in sources for sentence in speaker.sentences]
    targets: list[Scored | None] = [s for s in rows[TARGET] if s.audio is not None] or [None]
    columns = zip(
        sentences,
        rows[system_name(voice)],
        rows[UNCONVERTED],
        rows[DSP_BASELINE],
        (targets[i % len(targets)] for i in range(len(sentences))),
        strict=True,
    )

    def badness(utterance: Utterance) -> float:
        composite = utterance.converted.scores.composite
        return np.inf if composite is None else composite

    return sorted((Utterance(*parts) for parts in columns), key=badness)


def _columns(scores: list[UtteranceScores]) -> list[Column]:
    """Return the columns that some utterance fills."""
    columns = [
        Column("sentence", "text", lambda s: s.sentence),
        Column("speaker", "text", lambda s: s.speaker),
        Column("failed", "text", lambda s: len(s.failures) or None),
        Column("composite", "3", lambda s: s.composite),
        *(
            Column(measure.heading, measure.form, measure.value)
            for name, measure in MEASURES.items()
            if name != "nearer_target"
        ),
        Column("seconds", "1", lambda s: s.duration_s),
    ]
    return [c for c in columns if any(c.value(s) is not None for s in scores)]


def _heading(column: Column) -> str:
    order = "ascending" if column.heading == "composite" else "none"
    kind = "text" if column.heading in ("sentence", "speaker") else "number"
    return (
        f'<th scope="col" aria-sort="{order}" data-kind="{kind}">'
        f'<button type="button">{escape(column.heading)}</button></th>'
    )


def _body(utterance: Utterance, columns: list[Column], details: str, is_open: bool) -> str:
    scores = utterance.converted.scores
    cells: list[str] = []
    for column in columns:
        value = column.value(scores)
        plain = escape("" if value is None else str(value))
        shown = escape(print_value(value, column.form))
        if cells:
            cells.append(f'<td data-value="{plain}">{shown}</td>')
        else:
            name = f'<div class="name">{shown}</div>'
            cells.append(f'<th scope="row" data-value="{plain}">{name}</th>')
    said = utterance.sentence.text or utterance.source.scores.transcript or "no text known"
    return f"""<tbody>
<tr class="numbers">{"".join(cells)}</tr>
<tr class="detail"><td colspan="{len(columns)}"><div class="sticky">
<details{" open" if is_open else ""}><summary>{escape(said)}</summary>
{details}
</details></div></td></tr>
</tbody>"""


class _Drawer:
    """Draws what is under an utterance; each parallel recording is analysed once."""

    def __init__(self, voice: Voice, target_name: str, with_baseline: bool) -> None:
        self.voice = voice
        self.target_name = target_name
        self.with_baseline = with_baseline
        self._log_mel = LogMel(voice.spec)
        self._parallels: dict[Path, Recording] = {}

    def details(self, utterance: Utterance) -> str:
        """Return texts, players and pictures of an utterance."""
        scores = utterance.converted.scores
        source, converted = self._wave(utterance.source), self._wave(utterance.converted)
        recordings = [
            Recording(f"source: {scores.speaker}", source, self._measure(source)),
            Recording(
                f"converted: {self.voice.card.name}",
                converted,
                self._request(source) | self._measure(converted),
            ),
        ]
        if utterance.sentence.parallel is not None:
            recordings.append(self._parallel(utterance.sentence.parallel))
        elif utterance.other_target is not None:
            name = utterance.other_target.scores.sentence
            label = f"target: {self.target_name}, another sentence ({name})"
            recordings.append(Recording(label, self._wave(utterance.other_target), {}))
        if self.with_baseline:
            recordings.append(Recording(DSP_BASELINE, self._wave(utterance.baseline), {}))
        failures = "".join(f"<li>{escape(failure)}</li>" for failure in scores.failures)
        heard = {"source": utterance.source.scores.transcript, "converted": scores.transcript}
        texts = "".join(
            f"<div><dt>Heard in the {k}</dt><dd>{escape(v)}</dd></div>"
            for k, v in heard.items()
            if v
        )
        return "\n".join(
            (
                f'<ul class="failures">{failures}</ul>' if failures else "",
                f'<dl class="heard">{texts}</dl>' if texts else "",
                f'<div class="players">{self._players(recordings)}</div>',
                self._pictures([r for r in recordings if r.contours]),
            )
        )

    def _players(self, recordings: list[Recording]) -> str:
        rate = self.voice.spec.sample_rate
        return "".join(
            draw_player(r.waveform, rate, r.label) for r in recordings if r.waveform is not None
        )

    def _pictures(self, recordings: list[Recording]) -> str:
        waves = [r.waveform for r in recordings if r.waveform is not None]
        longest = max((len(wave) for wave in waves), default=0)
        if longest < self.voice.spec.hop_length:
            return ""
        figures = "".join(
            draw_mel(r.waveform, r.contours, self._log_mel, r.label, len(r.waveform) / longest)
            for r in recordings
            if r.waveform is not None and len(r.waveform) >= self.voice.spec.hop_length
        )
        return f'<div class="pictures">{figures}</div>{LEGEND}'

    def _wave(self, scored: Scored | None) -> Wave | None:
        """Return audio at the rate of the mel analysis, which MP3 has and any source may lack."""
        if scored is None or scored.audio is None:
            return None
        return resample(scored.audio, scored.sample_rate, self.voice.spec.sample_rate)

    def _measure(self, waveform: Wave | None) -> dict[str, Wave]:
        return {} if waveform is None else {"measured": extract_f0(waveform, self.voice.spec)}

    def _request(self, source: Wave | None) -> dict[str, Wave]:
        if source is None:
            return {}
        return {"requested": requested_f0(source, self.voice)}

    def _parallel(self, path: Path) -> Recording:
        if path not in self._parallels:
            try:
                wave = load_mono(path, self.voice.spec.sample_rate)
            except ValueError:  # listed among the failures of the utterance
                wave = None
            label = f"target: {self.target_name}, the same sentence"
            self._parallels[path] = Recording(label, wave, self._measure(wave))
        return self._parallels[path]
