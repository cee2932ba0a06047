"""Jobs that train a pair of voices, and those that make voices of a training as it is now."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxcycle.files import CHECKPOINT_FILE
from voxcycle.runtime.session import count_threads
from voxcycle.voices.library import add_voice, own_voices_dir
from voxcycle.voices.voice import VoiceError
from voxcycle.web.cards import take_card, take_short
from voxcycle.web.children import run_child
from voxcycle.web.fields import take_ids, take_number, take_text
from voxcycle.web.jobs import Job, Lane
from voxcycle.web.kinds import Control, Failed, Plan
from voxcycle.web.settings import Refusal
from voxcycle.web.uploads import Uploads, write_json
from voxcycle.web.voices import check_free

RUN, STAGES = "run", "stages"
ADDED = "added.json"  # hashes of the voices that a training has given
MAX_MINUTES, MAX_STEPS = 7 * 24 * 60, 1_000_000
DEFAULT_MINUTES = 15.0
MAX_LOSSES = 300  # points of the curves; beyond, every second one goes
MAX_STAGES = 200


class Training:
    """Trainings of a pair, in a child that is resumed on request; a `Kind`.

    Args:
        uploads: of the server.
        missing: returns a sentence where an extra is not installed.
        tell_voices: called when voices were added.
        takes_settings: whether requests may name settings of the training.
    """

    name = "train"
    lane: Lane = "long"
    is_public, survives, is_kept = True, True, True

    def __init__(
        self,
        uploads: Uploads,
        missing: Callable[[str], str | None],
        tell_voices: Callable[[], None],
        takes_settings: bool = False,
    ) -> None:
        self.uploads, self.missing = uploads, missing
        self.tell_voices, self.takes_settings = tell_voices, takes_settings

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request: uploads a and b, the card of b, name_a, sex_a, and minutes or steps."""
        if sentence := self.missing("train"):
            raise Refusal(sentence, 409)
        card = take_card(body)
        name_a = take_text(body, "name_a", "")
        if name_a:
            check_free(name_a)
        if name_a == card["name"]:
            raise Refusal("name_a: the two voices need different names.")
        ids = {side: take_ids(body, side) for side in ("a", "b")}
        if shared := set(ids["a"]) & set(ids["b"]):
            raise Refusal(f"{len(shared)} recordings are in both sets: each speaker needs its own.")
        settings: dict[str, Any] = {
            "name_b": card["name"],
            "name_a": name_a or f"{card['name']}-source",
            "sex_b": card["sex"],
            "sex_a": take_short(body, "sex_a"),
            "language": card["language"],
            "licence": card["licence"],
            "consent": card["consent"],
        }
        steps = take_number(body, "steps", 1, MAX_STEPS)
        minutes = take_number(body, "minutes", 0.1, MAX_MINUTES)
        if steps is not None and minutes is not None:
            raise Refusal("Give minutes or steps, not both.")
        if steps is not None:
            settings["steps"] = round(steps)
        else:
            settings["minutes"] = minutes or DEFAULT_MINUTES
        extra = body.get("settings")
        if extra is not None and (not self.takes_settings or not isinstance(extra, dict)):
            raise Refusal("settings: this server takes none.")
        names = {side: self.uploads.link(ids[side], folder / side) for side in ids}
        options = {**ids, "names": names, "keeps_a": bool(name_a)}
        return Plan(f"train {card['name']}", options | {"settings": settings | (extra or {})})

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Train in a child, from the last checkpoint where there is one, and add the voices."""
        result: dict[str, Any] = {
            "losses": [],
            "stages": [],
            "best": None,
            "voice": None,
            "n_steps": None,
        }
        result |= job.result
        has_checkpoint = (control.folder / RUN / CHECKPOINT_FILE).is_file()
        if not has_checkpoint:
            result |= {"losses": [], "stages": [], "best": None}

        def take(event: dict[str, Any]) -> None:
            _merge(result, event)
            control.publish(dict(result))

        task = {
            "work": "train",
            "is_long": True,
            "folder": str(control.folder),
            "settings": job.options["settings"],
            "n_steps": result["n_steps"],
            "threads": 0,
        }
        made: list[str] = []

        def take_all(event: dict[str, Any]) -> None:
            if "voices" in event:
                made[:] = event["voices"]
            take(event)

        try:
            run_child(task, control, take_all, job.options["names"])
        finally:
            result["saved"] = (control.folder / RUN / CHECKPOINT_FILE).is_file()
            control.publish(dict(result))
        paths = [control.folder / RUN / name for name in made]
        add_trained(control.folder, job.options, paths, result)
        self.tell_voices()
        return result

    def actions(self, job: Job) -> list[str]:
        """Return what can be done with a training: go on, or use what it has."""
        use = ["use"] if job.result.get("saved") else []
        if job.status in ("failed", "stopped"):
            return ["resume", *use]
        return use if job.status == "running" else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return losses, stages with the addresses of their audio, the best, and the voice."""
        place = f"/api/jobs/{job.id}/stages"
        stages = [
            stage | {"audio": [f"{place}/{name}" for name in stage["audio"]]}
            for stage in job.result.get("stages", [])
        ]
        return {"report": None, **job.result, "stages": stages}


class Using:
    """Voices of a training as it is now; a `Kind` that no client names.

    It has a lane of its own: the training may still run, and conversions do not wait for it.
    """

    name = "use"
    lane: Lane = "use"
    is_public, survives, is_kept = False, False, False

    def __init__(self, tell_voices: Callable[[], None]) -> None:
        self.tell_voices = tell_voices

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Take the training that the queue names."""
        training = body.get("training")
        if not isinstance(training, Job):
            raise Refusal("A training is used by its own address.")
        folder.mkdir(parents=True)
        name = training.options["settings"]["name_b"]
        return Plan(
            f"use {name} as it is now",
            {"training": training.id, "settings": training.options["settings"]}
            | {"keeps_a": training.options["keeps_a"]},
        )

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Export in a child, and add the voices."""
        training = control.folder.with_name(job.options["training"])
        found: dict[str, Any] = {}
        task = {
            "work": "use",
            "folder": str(control.folder),
            "training": str(training),
            "threads": count_threads(),
        }
        run_child(task, control, found.update)
        result: dict[str, Any] = {"step": found["step"], "training": job.options["training"]}
        paths = [control.folder / RUN / name for name in found["voices"]]
        add_trained(training, job.options, paths, result)
        shutil.rmtree(control.folder / RUN, ignore_errors=True)
        self.tell_voices()
        return result

    def actions(self, job: Job) -> list[str]:
        """It may be tried again."""
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the voice and its step."""
        return job.result


def add_trained(
    training: Path, options: Mapping[str, Any], paths: list[Path], result: dict[str, Any]
) -> None:
    """Add the voices of a training; they replace those that it gave before, and no others."""
    settings, record = options["settings"], training / ADDED
    given = json.loads(record.read_text("utf-8")) if record.exists() else []
    wanted = {settings["name_b"]} | ({settings["name_a"]} if options["keeps_a"] else set())
    own = []
    for path in paths:
        if path.stem in wanted:
            present = own_voices_dir() / path.name
            is_ours = present.exists() and _hash(present) in given
            try:
                add_voice(path, overwrite=is_ours)
            except VoiceError:
                raise Failed(
                    f"Another voice is named {path.stem} now: rename it, then let this job go on."
                ) from None
            given.append(_hash(path))
            write_json(record, given)
            own.append(path.stem)
    result["voice"], result["voices"] = settings["name_b"], own


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _merge(result: dict[str, Any], event: dict[str, Any]) -> None:
    """Put what a child tells into the result of a training."""
    if "losses" in event:
        step = event["step"]
        former = [point for point in result["losses"] if point["step"] < step]
        if len(former) >= MAX_LOSSES:
            former = former[::2]
        result["losses"] = [*former, {"step": step, **event["losses"]}]
        stages = {stage["step"]: stage for stage in result["stages"]}
        for stage in event["stages"]:
            known = stages.setdefault(stage["step"], {"step": stage["step"], "metrics": {}})
            known["metrics"] = known["metrics"] | stage["metrics"]
            known["audio"] = list(dict.fromkeys([*known.get("audio", []), *stage["audio"]]))
        result["stages"] = [stages[step] for step in sorted(stages)][-MAX_STAGES:]
    for key in ("best", "n_steps", "saved"):
        if key in event:
            result[key] = event[key]
