"""The voices as the page shows them, and what may be done to the user's own."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from voxcycle.artifacts import VOICE, ArtifactError, read_header
from voxcycle.voices.library import (
    VoiceSummary,
    add_voice,
    list_voices,
    own_voices_dir,
    remove_voice,
)
from voxcycle.voices.voice import Voice, VoiceError, check_voice_name
from voxcycle.web.converting import Loaded
from voxcycle.web.settings import Refusal

DEMO = Path(__file__).with_name("demo.opus")  # synthetic speech: NOTICE names its source
EXPORT = "export-"  # folders of exports that are under way
MAX_NAME = 60
MAX_FACT, MAX_NUMBER = 200, 1e12  # letters and numbers of a card that are shown
FACTS = ("language", "sex", "licence", "source")
SCORES = {"similarity": "secs_target", "wer": "wer", "naturalness": "distillmos"}


class Voices:
    """The library of voices for clients: named by their names, never by paths.

    Args:
        folder: of the samples, which are made when they are first heard.
        loaded: the voices in memory.
        on_change: called when the list changes.
    """

    def __init__(self, folder: Path, loaded: Loaded, on_change: Callable[[], None]) -> None:
        self.folder, self.loaded, self.on_change = folder, loaded, on_change
        self._one_at_a_time = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{EXPORT}*"):  # by a server that was killed
            shutil.rmtree(left, ignore_errors=True)

    def all(self) -> list[dict[str, Any]]:
        """Return all voices, also those whose file is damaged."""
        return [_describe(voice) for voice in list_voices()]

    def get(self, name: str) -> VoiceSummary:
        """Return a voice by its name; Refusal where there is none."""
        for voice in list_voices():
            if voice.name == name:
                return voice
        raise Refusal("There is no such voice any more; load the list again.", 404)

    def show(self, name: str) -> dict[str, Any]:
        """Return a voice with its whole card."""
        voice = self.get(name)
        try:
            card = read_header(voice.path, VOICE)["card"]
        except (ArtifactError, KeyError):
            card = {}
        finite = json.loads(json.dumps(card), parse_constant=lambda name: None)
        return _describe(voice) | {"card": finite}

    def add(self, path: Path) -> dict[str, Any]:
        """Check a file that was uploaded, and add it; Refusal where it is no voice."""
        try:
            name = Voice.load(path).card.name
            added = add_voice(path)
        except (ArtifactError, VoiceError) as error:
            if isinstance(error, VoiceError) and name in {voice.name for voice in list_voices()}:
                raise Refusal(
                    f"Another voice named {name} is there already: rename or delete it first.", 409
                ) from error
            raise Refusal(_without(str(error), path), 422) from error
        self.on_change()
        return _describe(self.get(added.stem))

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Give one of the user's own voices another name."""
        voice = self._own(name)
        check_free(new_name)
        made = replace(loaded := Voice.load(voice.path), card=replace(loaded.card, name=new_name))
        made.save(own_voices_dir() / f"{new_name}.safetensors")
        voice.path.unlink()
        self.on_change()
        return _describe(self.get(new_name))

    def delete(self, name: str) -> None:
        """Delete one of the user's own voices."""
        self._own(name)
        remove_voice(name)
        self.on_change()

    def sample(self, name: str) -> Path:
        """Return a short conversion by the voice, made when it is first asked for."""
        from voxcycle.audio.io import FileSource
        from voxcycle.conversion.pipeline import convert_file
        from voxcycle.web.sounds import WAV

        voice = self.get(name)
        status = voice.path.stat()
        stamp = f"{voice.path} {status.st_mtime_ns} {status.st_size}"
        target = self.folder / f"{hashlib.sha256(os.fsencode(stamp)).hexdigest()[:24]}.wav"
        with self._one_at_a_time:
            if not target.exists():
                loaded = self.loaded.voice(name)
                vocoder = self.loaded.vocoder("fast", loaded)
                convert_file(FileSource(DEMO), target, WAV, loaded, vocoder)
        return target

    def export(self, name: str, folder: Path) -> Path:
        """Write a voice as ONNX graphs below `folder`; return their folder."""
        from voxcycle.conversion.export import export_voice, load_exportable

        voice = Voice.load(self.get(name).path)
        out = folder / f"{name}-onnx"
        with self._one_at_a_time:
            export_voice(voice, load_exportable("fast", voice.spec), out)
        return out

    def _own(self, name: str) -> VoiceSummary:
        voice = self.get(name)
        if voice.origin != "own":
            raise Refusal("Voices that ship with voxcycle stay as they are.", 409)
        return voice


def check_free(name: str) -> None:
    """Raise a Refusal where a new voice cannot have that name."""
    try:
        check_voice_name(name)
    except VoiceError as error:
        raise Refusal(str(error)) from error
    if len(name) > MAX_NAME:
        raise Refusal(f"The name is too long: at most {MAX_NAME} letters.")
    if name in {voice.name for voice in list_voices()}:
        raise Refusal(f"A voice named {name} is there already; choose another name.", 409)


def _describe(voice: VoiceSummary) -> dict[str, Any]:
    scores = {key: voice.scores.get(name) for key, name in SCORES.items()}
    known = {key: value for key, value in scores.items() if _is_number(value)}
    return {
        "id": voice.name,
        "name": voice.name,
        "title": voice.name.replace("_", " "),
        **{field: getattr(voice, field)[:MAX_FACT] for field in FACTS},
        "is_shipped": voice.origin == "shipped",
        "kind": "anyone" if voice.is_any_to_one else "pair",
        "scores": known or None,
        "takes_second_pass": _hears_mels(voice),
        "trained": _describe_training(voice),
        "sample": f"/api/voices/{quote(voice.name)}/sample",
        "bytes": voice.n_bytes,
        "notes": [_without(voice.error, voice.path)] if voice.error else _notes(voice),
    }


def _describe_training(voice: VoiceSummary) -> str | None:
    """Return one line about how the voice was made, if its file says so."""
    try:
        training = read_header(voice.path, VOICE)["card"]["training"]
        steps, minutes = training.get("steps"), sum(training["minutes_of_speech"].values())
    except (ArtifactError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if not _is_number(steps) or not _is_number(minutes):
        return None
    made = f"{steps:,} steps" if steps else "a clone, without training"
    return f"{made}, from {minutes:.1f} minutes of speech"


def _hears_mels(voice: VoiceSummary) -> bool:
    """Return whether a second pass acts on a voice: on those of older files alone."""
    try:
        return not read_header(voice.path, VOICE)["generator"].get("n_content", 0)
    except (ArtifactError, KeyError, AttributeError):
        return False


def _is_number(value: Any) -> bool:
    """Return whether a file that anybody may have made holds a number that can be shown."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < MAX_NUMBER  # NaN is not


def _notes(voice: VoiceSummary) -> list[str]:
    if voice.is_any_to_one:
        return []
    return [f"Made for one source: {voice.source or 'the speaker it was trained on'}."]


def _without(sentence: str, path: Path) -> str:
    """Return a message without the server's path in front of it."""
    return sentence.replace(f"{path}: ", "").replace(str(path), "the file")
