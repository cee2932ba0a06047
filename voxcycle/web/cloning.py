"""Jobs that make a voice of half a minute of speech."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxcycle.runtime.session import count_threads
from voxcycle.voices.library import add_voice
from voxcycle.web.cards import take_card
from voxcycle.web.children import run_child
from voxcycle.web.fields import take_ids
from voxcycle.web.jobs import Job, Lane
from voxcycle.web.kinds import Control, Plan
from voxcycle.web.uploads import Uploads

RECORDINGS, VOICE = "recordings", "voice.safetensors"


class Cloning:
    """Clones of the speaker of uploads; a `Kind`."""

    name = "clone"
    lane: Lane = "quick"
    is_public, survives, is_kept = True, False, False

    def __init__(self, uploads: Uploads, tell_voices: Callable[[], None]) -> None:
        self.uploads, self.tell_voices = uploads, tell_voices

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request: uploads, name, sex, language, licence, consent."""
        card = take_card(body)
        ids = take_ids(body, "uploads")
        names = self.uploads.link(ids, folder / RECORDINGS)
        return Plan(f"voice {card['name']}", {"uploads": ids, "names": names, **card})

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Make the voice in a child, and add it."""
        options = job.options
        found: dict[str, Any] = {}
        card = {key: options[key] for key in ("name", "language", "sex", "licence", "consent")}
        voice = control.folder / VOICE
        task = {
            "work": "clone",
            "folder": str(control.folder),
            "names": options["names"],
            "card": card,
            "voice": str(voice),
            "threads": count_threads(),
        }
        run_child(task, control, found.update, {RECORDINGS: options["names"]})
        added = add_voice(voice)
        voice.unlink()
        self.tell_voices()
        report = found.get("found", {})
        notes = [f"{each['name']}: {each['reason']}" for each in report.get("dropped", [])]
        return {"voice": added.stem, "notes": [*report.get("notes", []), *notes]}

    def actions(self, job: Job) -> list[str]:
        """A clone that failed or was stopped may be tried again."""
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the voice and the notes."""
        return job.result
