"""`voxcycle evaluate` for the page: the report as one HTML file, and the scores of the voice."""

from pathlib import Path
from typing import Any

from voxcycle.evaluation.dataset import list_sources, list_target
from voxcycle.evaluation.metrics.asr import check_language
from voxcycle.evaluation.optional_deps import require_metrics
from voxcycle.evaluation.report.html_report import write_report
from voxcycle.evaluation.run import evaluate_voice
from voxcycle.evaluation.stats.summary import MEAN
from voxcycle.evaluation.systems import system_name
from voxcycle.files import cache_dir
from voxcycle.voices.voice import Voice
from voxcycle.web.work.clips import Tell


def work(task: dict[str, Any], tell: Tell) -> None:
    """Convert and score the recordings, and write the report."""
    require_metrics()
    folder = Path(task["folder"])
    voice = Voice.load(folder / "voice.safetensors")
    language = check_language(task["language"] or voice.card.language or "en")
    sources, references = folder / "recordings", folder / "references"
    n_sentences = task["sentences"]
    speakers = list_sources(sources, language, n_sentences=n_sentences)
    target = None
    if references.is_dir():
        target = list_target(references, language, n_sentences=n_sentences, source=sources)
    tell({"share": 0.0, "message": "loading what measures"})
    evaluation = evaluate_voice(
        voice,
        speakers,
        target,
        vocoder=task["vocoder"],
        cache_dir=cache_dir("evaluation"),
        keep_audio=True,
        inputs={"sentences": n_sentences},
        on_scored=lambda done, total: tell(
            {"share": done / max(total, 1), "message": f"{done} of {total} sentences scored"}
        ),
    )
    write_report(folder / "report", evaluation, speakers, voice)
    row = system_name(voice)
    lines = [line for line in evaluation.summary() if line.row == row]
    chosen = next((line for line in lines if line.speaker == MEAN), lines[-1] if lines else None)
    tell({"scores": chosen.to_dict() if chosen else {}, "notes": evaluation.notes()})
