"""What is measured on real recordings: voices, untrained networks, copy synthesis."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from yardstick import RATE, SPEC, Wave

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.activity import find_activity
from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.f0 import extract_f0, limit_f0, transform_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.perturb import WARPS
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.files import cache_dir
from voxcycle.speech.clone import clone_voice
from voxcycle.speech.content import Reader, find_content, load_reader, load_recogniser
from voxcycle.speech.corpus import scan_folder
from voxcycle.speech.embedding import add_embeddings
from voxcycle.speech.features import Features, cache_features
from voxcycle.speech.speakers import Speaker, build_speaker
from voxcycle.vocoders import Vocoder
from voxcycle.voices.library import load_voice
from voxcycle.voices.pretrained import speaker_condition
from voxcycle.voices.voice import Voice, VoiceCard

COPY = "copy"
System = Callable[[Wave], tuple[Wave, Wave]]  # a recording to its conversion and the F0 asked for


def load_system(name: str, target: Path | None, vocoder: Vocoder) -> System:
    """Return what converts.

    Args:
        name: "copy", the name or file of a voice, or a file of pretrained networks or of a phonetic
            decoder; their output is of the speaker of `target`.
        target: folder of that speaker's recordings.
        vocoder: of all of them.
    """
    if name == COPY:
        return lambda x: (copy_synthesis(x, RATE, vocoder), extract_f0(x, SPEC))
    if target is None:
        voice = load_voice(name)
    else:
        try:
            reader = load_reader(Path(name))
        except ArtifactError:
            voice = clone(Path(name), target)
        else:
            speaker = load_target(reader, target)
            return lambda x: read_aloud(x, reader, speaker, vocoder)

    def system(waveform: Wave) -> tuple[Wave, Wave]:
        made = convert(waveform, voice, sample_rate=RATE, vocoder=vocoder)
        return made.waveform, made.f0_hz

    return system


def clone(pretrained: Path, target: Path) -> Voice:
    """Return a clone by networks that need no training."""
    with TemporaryDirectory(prefix="voxcycle-") as folder:
        path = Path(folder) / "clone.safetensors"
        return Voice.load(clone_voice(target, VoiceCard("clone"), path, pretrained, prepares=False))


def load_target(reader: Reader, folder: Path) -> Speaker:
    """Return the speaker of a folder as a phonetic decoder knows speakers."""
    paths = [clip.path for clip in scan_folder(folder).clips]
    features = cache_features(paths, SPEC, cache_dir("features"), perturbations=WARPS[:1])
    return add_embeddings(build_speaker(folder.name, features, SPEC), reader.encoder, SPEC)


def read_aloud(
    waveform: Wave, reader: Reader, target: Speaker, vocoder: Vocoder
) -> tuple[Wave, NDArray[np.float32]]:
    """Return what a phonetic decoder reads of a recording (T,), and the F0 of it.

    No generator is involved: a training that takes the readings as parallel sentences cannot keep
    more words than they have.
    """
    activity = find_activity(waveform, SPEC)
    mel = LogMel(SPEC)(torch.from_numpy(activity.level(waveform))[None])[0].T.numpy()
    f0_hz, stats = limit_f0(activity.f0_hz), target.stats[0]
    features = Features(mel[None].astype(np.float16), f0_hz, activity.speech)
    (content,) = find_content(load_recogniser(), [features], SPEC, [[0]])
    source = estimate_stats(sum_frames(mel, f0_hz, activity.speech), reader.reference)
    asked_hz = transform_f0(f0_hz, source, stats)
    condition = speaker_condition(stats, reader.reference, target.embedding)
    inputs = (content[0].astype(np.float32).T, excitation_mel(asked_hz, SPEC).T, condition)
    with torch.inference_mode():
        read = reader.decoder(*(torch.from_numpy(x)[None] for x in inputs))[0].T.numpy()
        log_mel = torch.from_numpy(stats.denormalize(read).T)[None]
        output = vocoder.decode(log_mel, torch.from_numpy(asked_hz)[None])[0].numpy()
    output = output[: len(waveform)]
    return np.pad(output, (0, len(waveform) - len(output))), asked_hz
