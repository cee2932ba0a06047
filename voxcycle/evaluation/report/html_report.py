"""The report of an evaluation: a folder with every score, one HTML page and a table to paste.

`report.html.j2` is the page; tables, histograms, pictures and players are embedded in it. The cells
of the table of results are made by `evaluation/stats/summary.py`.
"""

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ
from voxcycle.evaluation.report.pictures import draw_histograms
from voxcycle.evaluation.report.utterances import collect_utterances, list_columns
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.summary import (
    COLUMNS,
    CONFIDENCE,
    MEAN,
    N_RESAMPLES,
    markdown_table,
    print_value,
    table_cells,
    used_columns,
)
from voxcycle.evaluation.systems import Speaker, system_name
from voxcycle.files import replacing
from voxcycle.voices.voice import Voice

FILES = ("metrics.json", "report.html", "summary.md")
N_OPEN = 10  # utterances whose players and pictures are open at first


def check_report(folder: Path) -> None:
    """Raise OSError if a report could not be written to a folder, before any work is done."""
    parent = folder.absolute()
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise NotADirectoryError(f"{parent}: expected a folder, found a file; name another folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{parent}: the folder is read-only; name another folder")
    for name in FILES:
        if (folder / name).is_dir():
            raise IsADirectoryError(
                f"{folder / name}: expected a file, found a folder; name another folder"
            )


def write_report(
    folder: Path, evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice
) -> list[Path]:
    """Write `metrics.json`, `report.html` and `summary.md`; each appears when it is complete.

    `evaluation` holds its audio, and `sources` are the speakers that were converted, as given to
    `evaluate_voice`. The folder is made if it is missing. Returns the files.
    """
    metrics, page, summary = paths = [folder / name for name in FILES]
    evaluation.save(metrics)
    write_page(page, evaluation, sources, voice)
    table = markdown_table(table_cells(evaluation.summary()))
    notes = "".join(f"- {note}\n" for note in evaluation.notes())
    _write_text(summary, f"{table}\n" + (f"\n{notes}" if notes else ""))
    return paths


def write_page(
    path: Path, evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice
) -> None:
    """Write the page as one HTML file that needs nothing else; arguments as `write_report`.

    Raises:
        ValueError: the evaluation was made or loaded without its audio.
    """
    if len(evaluation.audio) != len(evaluation.scores):
        raise ValueError(
            f"{path}: a report needs the audio of all {len(evaluation.scores)} utterances, found "
            f"{len(evaluation.audio)}; evaluate with keep_audio=True"
        )
    from jinja2 import Environment
    from markupsafe import Markup

    template, style, script = (
        files("voxcycle.evaluation.report").joinpath(f"report.{kind}").read_text(encoding="utf-8")
        for kind in ("html.j2", "css", "js")
    )
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "print_as": print_value,
        "print": lambda value, key: print_value(value, COLUMNS[key][1]),
        "interval": lambda ends, key: "–".join(
            print_value(end, COLUMNS[key][1]).removesuffix(" %") for end in ends
        ),
    }
    name, lines = system_name(voice), evaluation.summary()
    date = evaluation.about.get("date") or "an unknown day"
    utterances = collect_utterances(evaluation, sources, voice)
    html = environment.from_string(template).render(
        name=name,
        about=evaluation.about,
        date=date.replace("T", " ").replace("+00:00", " UTC"),
        facts=_list_facts(evaluation.about),
        lines=lines,
        mean=MEAN,
        columns=used_columns(lines),
        headings={key: heading for key, (heading, _) in COLUMNS.items()},
        confidence=round(100 * CONFIDENCE),
        n_resamples=N_RESAMPLES,
        notes=evaluation.notes(),
        scores=evaluation.scores,
        histograms=Markup(draw_histograms(evaluation.scores, name)),
        utterances=utterances,
        utterance_columns=list_columns([utterance.scores for utterance in utterances]),
        n_open=N_OPEN,
        f0_range_hz=(F0_MIN_HZ, F0_MAX_HZ),
        style=Markup(style),
        script=Markup(script),
    )
    _write_text(path, html)


def _list_facts(about: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return headings and values of the settings; None where a value is unknown."""
    machine, cost = about.get("machine", {}), about.get("cost", {})
    factors = cost.get("real_time_factor", {})
    stages = ", ".join(f"{k} {v:.3f}" for k, v in factors.items() if k != "whole")
    training, digest = about.get("training") or {}, about.get("voice_sha256")
    second_pass = about.get("second_pass")
    labels = {"cpu": "", "threads": "threads: "}
    return [
        ("Vocoder", about.get("vocoder")),
        ("Second pass", f"{second_pass:g}" if second_pass else None),
        ("Recogniser", about.get("asr")),
        ("Target", about.get("target") or "none: similarity to the target was not measured"),
        ("Recordings", ", ".join(f"{k} {v}" for k, v in about.get("inputs", {}).items())),
        ("Languages", ", ".join(f"{k}: {v}" for k, v in about.get("languages", {}).items())),
        (
            "Training",
            ", ".join(f"{k} {training[k]}" for k in ("steps", "seed", "date") if k in training),
        ),
        ("Weights", f"SHA-256 {digest[:16]}…" if digest else None),
        (
            "Seconds per second of audio",
            f"{factors['whole']:.3f} ({stages}), over {cost['audio_s']} s of audio"
            if "whole" in factors
            else None,
        ),
        ("Peak memory", f"{cost['peak_memory_mb']} MB" if cost.get("peak_memory_mb") else None),
        ("Version", about.get("voxcycle") and f"voxcycle {about['voxcycle']}"),
        ("Machine", ", ".join(f"{labels.get(k, f'{k} ')}{v}" for k, v in machine.items())),
    ]


def _write_text(path: Path, text: str) -> None:
    # File names may hold bytes that are not text; they are spelled out.
    with replacing(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
