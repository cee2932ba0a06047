"""The report of an evaluation as one HTML file: tables, histograms, pictures and players in it."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from voxcycle.evaluation.report.histograms import draw_histograms
from voxcycle.evaluation.report.utterances import draw_utterances
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import (
    COLUMNS,
    CONFIDENCE,
    EER,
    MEAN,
    N_RESAMPLES,
    Summary,
    print_value,
    table_cells,
)
from voxcycle.evaluation.systems import (
    COPY_SYNTHESIS,
    DSP_BASELINE,
    TARGET,
    UNCONVERTED,
    Speaker,
    system_name,
)
from voxcycle.files import replacing
from voxcycle.voices.voice import Voice

ROW_MEANINGS = {
    UNCONVERTED: "the source recordings as they are: where the conversion starts.",
    TARGET: "the target's own recordings, each left out of what it is compared with: the goal.",
    COPY_SYNTHESIS: "the target's recordings through mel and HiFi-GAN: what a vocoder alone costs.",
    DSP_BASELINE: "WORLD with the mean spectrum and the mean and spread of F0 moved, without any "
    "network: what a voice has to beat.",
}
METRIC_MEANINGS = {
    "secs_target": "cosine of the speaker embedding (Resemblyzer) to the target's recordings. "
    "About 0.95 is the same speaker; a similar one reaches 0.8, one of the other sex 0.5.",
    "secs_source": "cosine of the embedding to the source speaker's other recordings; lower is "
    "better.",
    "nearer_target": "share of utterances whose embedding is nearer to the target than to the "
    "source.",
    "wer": "word errors per word of the text, or where no sentence has a text, of what the "
    "recogniser hears in the source; where nothing could be made or heard, all words are lost. "
    "The recogniser's own errors are among them: see the unconverted row.",
    "cer": "the same by character.",
    "distillmos": "overall quality from 1 to 5 as a network predicts it: not listeners. Nobody has "
    "rated these recordings.",
    "dnsmos": "overall quality from 1 to 5 (P.835) by another such predictor: not listeners.",
    "f0_rmse_semitones": "error of F0 in semitones against the requested contour (the source's, "
    "moved to the target's mean and spread; in the rows of the target's recordings their own).",
    "f0_gross_rate": "share of voiced frames that are 5 semitones or more off that contour.",
    "f0_voicing_error_rate": "share of frames voiced in one of the two only.",
    "n_failed": "sentences that could not be made or that some judge could not score, listed "
    "below. What could not be made has lost its words, is unvoiced and not nearer to the target; "
    "the other columns are means of the sentences that have a score.",
    "mcd_db": "mel-cepstral distortion against the target's recording of the same sentence, along "
    "a DTW path; of copy synthesis against the recording that it is made of.",
    "modulation_db": "distance of the modulation spectrum from that of the target's recordings, "
    "which over-smoothed speech is far from.",
    "parallel_f0_rmse_semitones": "F0 against the target's recording of the same sentence: "
    "two readings differ, so this is for information.",
    "parallel_f0_correlation": "likewise, correlation of ln F0.",
    EER: "equal error rate of telling the row from the target's own recordings by SECS: 0 % are "
    "always told apart, 50 % cannot be.",
}


def write_page(
    path: Path, evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice
) -> None:
    """Write the report as one HTML file that needs nothing else; it appears when it is complete.

    Args:
        path: the file; its folder is made.
        evaluation: with its audio.
        sources: the speakers that were converted, as given to `evaluate_voice`.
        voice: the voice that was evaluated.

    Raises:
        ValueError: the evaluation has been made or loaded without its audio.
    """
    if len(evaluation.audio) != len(evaluation.scores):
        raise ValueError(
            f"{path}: a report needs the audio of all {len(evaluation.scores)} utterances, there "
            f"is that of {len(evaluation.audio)}; evaluate with keep_audio=True"
        )
    document = make_page(evaluation, sources, voice)
    with replacing(path) as partial:
        # File names may hold bytes that are no text; they are spelled out.
        partial.write_bytes(document.encode("utf-8", "backslashreplace"))


def make_page(evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice) -> str:
    """Return the report as HTML; arguments as `write_page`."""
    name = system_name(voice)
    style, script = (
        files("voxcycle.evaluation").joinpath(f"report.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js")
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(name)}: evaluation of a voice</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
{_header(evaluation)}
{_summary(evaluation, name)}
<section>
<h2>Histograms</h2>
<p>Utterances by score; the line is the median. CER: of each utterance by itself.</p>
{draw_histograms(evaluation.scores, name)}
</section>
{_failures(evaluation.scores)}
{draw_utterances(evaluation, sources, voice)}
</main>
<script>
{script}</script>
</body>
</html>
"""


def _header(evaluation: Evaluation) -> str:
    about = evaluation.about
    machine, cost = about.get("machine", {}), about.get("cost", {})
    factors = cost.get("real_time_factor", {})
    stages = ", ".join(f"{k} {v:.3f}" for k, v in factors.items() if k != "whole")
    languages = about.get("languages", {})
    training, digest = about.get("training") or {}, about.get("voice_sha256")
    facts = {
        "Vocoder": about.get("vocoder"),
        "Second pass": f"{about['second_pass']:g}" if about.get("second_pass") else None,
        "Recogniser": about.get("asr"),
        "Target": about.get("target") or "none: no similarity to the target was measured",
        "Recordings": ", ".join(f"{k} {v}" for k, v in about.get("inputs", {}).items()),
        "Languages": ", ".join(f"{k}: {v}" for k, v in languages.items()),
        "Training": ", ".join(
            f"{k} {training[k]}" for k in ("steps", "seed", "date") if k in training
        ),
        "Weights": f"SHA-256 {digest[:16]}…" if digest else None,
        "Seconds per second of audio": f"{factors['whole']:.3f} ({stages}), over "
        f"{cost['audio_s']} s of audio"
        if "whole" in factors
        else None,
        "Peak memory": f"{cost['peak_memory_mb']} MB" if cost.get("peak_memory_mb") else None,
        "Version": about.get("voxcycle") and f"voxcycle {about['voxcycle']}",
        "Machine": ", ".join(_describe(k, v) for k, v in machine.items()),
    }
    items = "\n".join(
        f"<div><dt>{heading}</dt><dd>{escape(str(value))}</dd></div>"
        for heading, value in facts.items()
        if value
    )
    voice_rows = len(evaluation.scores)
    return f"""<header>
<h1>Voice <em>{escape(str(about.get("voice")))}</em></h1>
<p>What <code>voxcycle evaluate</code> measured on {escape(_print_date(about.get("date")))}:
{voice_rows} utterances in {escape(str(about.get("wall_s")))} s.</p>
<dl class="facts">
{items}
</dl>
</header>"""


def _describe(key: str, value: Any) -> str:
    return {"cpu": f"{value}", "threads": f"threads: {value}"}.get(key, f"{key} {value}")


def _print_date(date: str | None) -> str:
    return "a day unknown" if date is None else date.replace("T", " ").replace("+00:00", " UTC")


def _summary(evaluation: Evaluation, voice_name: str) -> str:
    lines = evaluation.summary()
    headings, *body = table_cells(lines)
    keys = {heading: key for key, (heading, _) in COLUMNS.items()}
    used = [keys[heading] for heading in headings]
    rows = "\n".join(
        _summary_row(line, used, cells, voice_name) for line, cells in zip(lines, body, strict=True)
    )
    meanings = {
        row: ROW_MEANINGS.get(row, "the voice that is evaluated.")
        for row in dict.fromkeys(line.row for line in lines)
    } | {COLUMNS[key][0]: METRIC_MEANINGS[key] for key in used if key in METRIC_MEANINGS}
    legend = "\n".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(meaning)}</dd></div>"
        for term, meaning in meanings.items()
    )
    recogniser = escape(str(evaluation.about.get("asr")))
    notes = "".join(f"<br>\n{escape(note[0].upper() + note[1:])}." for note in evaluation.notes())
    columns = "".join(
        f'<th scope="col">{escape(heading)}</th>'
        for key, heading in zip(used, headings, strict=True)
        if key != "speaker"
    )
    return f"""<section>
<h2>Summary</h2>
<div class="scroller" tabindex="0" role="region" aria-label="Summary">
<table class="summary">
<thead><tr>{columns}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<p class="small">Small print: {100 * CONFIDENCE:.0f} % intervals over sentences (bootstrap,
{N_RESAMPLES} resamples). Words by {recogniser}. MOS columns are predictions, not
listeners.{notes}</p>
<details class="legend" open><summary>What the rows and columns mean</summary>
<dl>
{legend}
</dl>
</details>
</section>"""


def _summary_row(line: Summary, used: list[str], cells: Sequence[str], voice_name: str) -> str:
    # The speaker stands in the row's heading, which stays in view where the table scrolls.
    names = f"{escape(line.row)}<small>{escape(line.speaker)}</small>"
    shown = [f'<th scope="row"><div class="name">{names}</div></th>']
    for key, cell in zip(used, cells, strict=True):
        ends = line.intervals.get(key)
        small = f"<small>{_print_interval(ends, COLUMNS[key][1])}</small>" if ends else ""
        if key not in ("row", "speaker"):
            shown.append(f"<td>{escape(cell)}{small}</td>")
    kinds = " ".join(
        kind
        for kind, holds in (("voice", line.row == voice_name), ("mean", line.speaker == MEAN))
        if holds
    )
    return f'<tr class="{kinds}">{"".join(shown)}</tr>'


def _print_interval(ends: tuple[float, float], form: str) -> str:
    return "–".join(print_value(end, form).removesuffix(" %") for end in ends)


def _failures(scores: Sequence[UtteranceScores]) -> str:
    failed = [
        f"<li>{escape(f'{s.row}, {s.speaker} {s.sentence}: {failure}')}</li>"
        for s in scores
        for failure in s.failures
    ]
    if not failed:
        return ""
    listed = "\n".join(failed)
    return f'<section>\n<h2>Failures</h2>\n<ul class="failures">\n{listed}\n</ul>\n</section>'
