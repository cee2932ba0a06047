"""A voice from recordings of one speaker, without training."""

from pathlib import Path
from typing import Any

from voxcycle.speech.clone import MIN_SPEECH_S, clone_voice
from voxcycle.voices.voice import VoiceCard
from voxcycle.web.work.clips import Tell, cut, describe


def work(task: dict[str, Any], tell: Tell) -> None:
    """Cut and screen the recordings, and bind the pretrained generator to them."""
    folder = Path(task["folder"])
    clips = folder / "clips"
    prepared = cut(folder / "recordings", clips, tell, last=0.6)
    found = describe(prepared, task["names"])
    reasons = ", ".join(dict.fromkeys(each["reason"] for each in found["dropped"]))
    if 60 * prepared.minutes_kept() < MIN_SPEECH_S:
        raise ValueError(
            f"Only {60 * prepared.minutes_kept():.0f} seconds of the recordings are usable"
            + f" (dropped: {reasons})" * bool(reasons)
            + f": at least {MIN_SPEECH_S:.0f} seconds of clean speech are needed."
        )
    tell({"share": 0.6, "message": "adapting the pretrained networks"})
    clone_voice(clips, VoiceCard(**task["card"]), Path(task["voice"]), prepares=False)
    tell({"found": found})
