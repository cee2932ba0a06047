"""Jobs that measure a voice: `voxcycle evaluate`, its report kept."""

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxcycle.runtime.session import count_threads
from voxcycle.voices.library import find_voice
from voxcycle.web.cards import take_short
from voxcycle.web.children import run_child
from voxcycle.web.converting import require_voice
from voxcycle.web.fields import take_choice, take_ids, take_number
from voxcycle.web.jobs import Job, Lane
from voxcycle.web.kinds import Control, Plan
from voxcycle.web.settings import Refusal
from voxcycle.web.uploads import Uploads
from voxcycle.web.wording import count_recordings

REPORT = ("report", "report.html")
N_SENTENCES = 20
SCORES = {
    "similarity": "secs_target",
    "similarity_to_source": "secs_source",
    "wer": "wer",
    "naturalness": "distillmos",
    "pitch_error_semitones": "f0_rmse_semitones",
}


class Measuring:
    """Evaluations of a voice on uploads; a `Kind`."""

    name = "evaluate"
    lane: Lane = "long"
    is_public, survives, is_kept = True, False, True

    def __init__(
        self, uploads: Uploads, vocoders: list[str], missing: Callable[[str], str | None]
    ) -> None:
        self.uploads, self.vocoders, self.missing = uploads, vocoders, missing

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request: voice, uploads, references, language, vocoder, sentences."""
        if sentence := self.missing("eval"):
            raise Refusal(sentence, 409)
        voice = require_voice(body)
        uploads, references = take_ids(body, "uploads"), take_ids(body, "references", least=0)
        options: dict[str, Any] = {
            "voice": voice,
            "uploads": uploads,
            "references": references,
            "language": take_short(body, "language"),
            "vocoder": take_choice(body, "vocoder", self.vocoders, self.vocoders[0]),
            "sentences": round(take_number(body, "sentences", 1, 200, N_SENTENCES) or 1),
        }
        options["names"] = names = {"recordings": self.uploads.link(uploads, folder / "recordings")}
        if references:
            names["references"] = self.uploads.link(references, folder / "references")
        shutil.copyfile(find_voice(voice), folder / "voice.safetensors")  # it may be deleted
        return Plan(f"measure {voice} on {count_recordings(len(uploads))}", options)

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Evaluate in a child."""
        found: dict[str, Any] = {}
        task = {
            "work": "evaluate",
            "is_long": True,
            "folder": str(control.folder),
            "threads": count_threads(),
            **{key: job.options[key] for key in ("language", "vocoder", "sentences")},
        }
        run_child(task, control, found.update, job.options["names"])
        scores = {}
        for key, column in SCORES.items():
            value = found.get("scores", {}).get(column)
            if isinstance(value, int | float) and math.isfinite(value):
                scores[key] = round(value, 4)
        return {"scores": scores, "notes": found.get("notes", []), "voice": job.options["voice"]}

    def actions(self, job: Job) -> list[str]:
        """A measurement that failed or was stopped may be tried again."""
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the scores and the report's address."""
        return {"report": f"/api/jobs/{job.id}/report", **job.result}
