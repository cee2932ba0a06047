"""What is measured on real recordings: voices, untrained networks, copy synthesis."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from yardstick import RATE, SPEC, Wave

from voxcycle.audio.f0 import extract_f0
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.speech.clone import clone_voice
from voxcycle.vocoders import Vocoder
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice, VoiceCard

COPY = "copy"
System = Callable[[Wave], tuple[Wave, Wave]]  # a recording to its conversion and the F0 asked for


def load_system(name: str, target: Path | None, vocoder: Vocoder) -> System:
    """Return what converts.

    Args:
        name: "copy", the name or file of a voice, or a file of pretrained networks, whose output is
            of the speaker of `target`.
        target: folder of that speaker's recordings.
        vocoder: of all of them.
    """
    if name == COPY:
        return lambda x: (copy_synthesis(x, RATE, vocoder), extract_f0(x, SPEC))
    voice = load_voice(name) if target is None else clone(Path(name), target)

    def system(waveform: Wave) -> tuple[Wave, Wave]:
        made = convert(waveform, voice, sample_rate=RATE, vocoder=vocoder)
        return made.waveform, made.f0_hz

    return system


def clone(pretrained: Path, target: Path) -> Voice:
    """Return a clone by networks that need no training."""
    with TemporaryDirectory(prefix="voxcycle-") as folder:
        path = Path(folder) / "clone.safetensors"
        return Voice.load(clone_voice(target, VoiceCard("clone"), path, pretrained, prepares=False))
