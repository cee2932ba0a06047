"""What is tried: each way into the package that reads what others wrote, and how it may refuse."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import mutations

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.ffmpeg import find_ffmpeg
from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.cli.voices import show
from voxcycle.console import to_line
from voxcycle.conversion.lists.reader import open_list
from voxcycle.conversion.lists.utterance import Written
from voxcycle.conversion.manifest import MANIFEST, Manifest
from voxcycle.conversion.plan import Role, plan_roles
from voxcycle.speech.config import (
    PretrainedTrainingConfig,
    VocoderTrainingConfig,
    VoiceTrainingConfig,
)
from voxcycle.speech.embedding import load_encoder
from voxcycle.training.config import load_config, parse_overrides, resume_config, save_config
from voxcycle.vocoders import VocoderError
from voxcycle.vocoders.hifigan import HiFiGAN
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.content import PhoneticEncoder
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice

MAX_MESSAGE = 10_000  # characters of a sentence: names in it may be long
FILES = ("wav.scp", "segments", "utt2spk", "text", "spk2gender")  # parted by PARTING in a seed
PARTING = b"\n%%\n"


class Trial(NamedTuple):
    """An input: its bytes, the name of the seed it was made of, and where files may be written."""

    data: bytes
    name: str
    folder: Path
    random: Random

    def write(self, name: str = "") -> Path:
        """Write the bytes to a file."""
        path = self.folder / (name or self.name)
        path.write_bytes(self.data)
        return path


class Target(NamedTuple):
    """How inputs are made and read, the errors that are right, and how many of 1000 inputs."""

    change: Callable[[bytes, Sequence[bytes], Random], bytes]
    read: Callable[[Trial], object]
    errors: tuple[type[Exception], ...]
    share: int


def read_audio(trial: Trial) -> None:
    """Read a recording as conversions do: wholly, then from a sample on."""
    source = FileSource(trial.write())
    for _ in source.blocks(trial.random.randrange(2000)):
        pass
    plan_mixdown(source)


def read_list(trial: Trial) -> None:
    """Read a list, and write one of outputs, which can be read again."""
    if trial.name.endswith(".scp"):
        for name, part in zip(FILES, trial.data.split(PARTING), strict=False):
            trial._replace(data=part).write(name)
        for name in FILES[len(trial.data.split(PARTING)) :]:
            (trial.folder / name).unlink(missing_ok=True)
        path = trial.folder / FILES[0]
    else:
        path = trial.write()
    found = open_list(path)
    out = trial.folder / "out"
    planned = plan_roles([Role(own, "voice", out) for own in found.utterances])
    assert all(own.error for own in planned), "there are no recordings"
    made = {u.id: Written(out / f"{u.output}.wav", 8000, 16_000) for u in found.utterances}
    again = open_list(found.write(out, made))
    assert len(again.utterances) == len(found.utterances), "the written list has other utterances"


def read_manifest(trial: Trial) -> None:
    """Read a manifest, and do what a batch does with its rows."""
    path = trial.write(MANIFEST)
    manifest = Manifest(path.parent, path)
    for row in list(manifest.rows.values())[:20]:
        manifest.is_done(replace(row, source=str(path)), verifies=True)
        manifest.has_failed(row)
        manifest.is_ours(row.id, row.voice, path)
        manifest.clean([row])
        manifest.append(row)
    assert len(Manifest(path.parent, path).rows) == len(manifest.rows), "rows are lost"


KINDS = {
    "voice": VoiceTrainingConfig,
    "vocoder": VocoderTrainingConfig,
    "pretrained": PretrainedTrainingConfig,
}


def read_config(trial: Trial) -> None:
    """Read settings, keep them with a run, and resume it."""
    kind = KINDS[trial.name.removesuffix(".yaml")]
    config = load_config(kind, {}, trial.write())
    config = config.model_copy(update={"out": trial.folder})
    save_config(config)
    assert resume_config(config).seed == config.seed


def read_overrides(trial: Trial) -> None:
    """Read words of a command line."""
    words = trial.data.decode("utf-8", "surrogateescape").split("\n")
    load_config(VoiceTrainingConfig, parse_overrides([word for word in words if word]))


def read_hifigan(trial: Trial) -> None:
    """Load a HiFi-GAN under other settings."""
    HiFiGAN.load(trial._replace(folder=trial.folder.parent / "seeds" / "checkpoint").write().parent)


def show_voice(trial: Trial) -> None:
    """Print what a voice file says of itself."""
    show(str(trial.write()), everything=True)


def read_network(load: Callable[[Path], object], trial: Trial) -> None:
    """Load a weight file."""
    load(trial.write())


def weights(load: Callable[[Path], object], share: int) -> Target:
    """Return the target of a kind of weight file."""
    read = functools.partial(read_network, load)
    return Target(mutations.change_artifact, read, (ArtifactError,), share)


def change_list(data: bytes, seeds: Sequence[bytes], rng: Random) -> bytes:
    """Return a list of the same kind, changed."""
    if data[:2] == b"\x1f\x8b":
        return mutations.change_compressed(data, seeds, rng)
    if data[:1] == b"{":
        return mutations.change_json_lines(data, seeds, rng)
    return mutations.change_text(data, seeds, rng)


TARGETS = {
    "audio": Target(mutations.change_audio, read_audio, (AudioError,), 280),
    "film": Target(mutations.change_bytes, read_audio, (AudioError,), 1),
    "lists": Target(change_list, read_list, (AudioError,), 200),
    "manifest": Target(mutations.change_json_lines, read_manifest, (), 160),
    "config": Target(mutations.change_text, read_config, (ValueError,), 100),
    "overrides": Target(mutations.change_text, read_overrides, (ValueError,), 100),
    "voice": weights(Voice.load, 30),
    "show": Target(mutations.change_artifact, show_voice, (ArtifactError,), 10),
    "pretrained": weights(Pretrained.load, 30),
    "vocoder": weights(SourceFilter.load, 30),
    "phonetic": weights(PhoneticEncoder.load, 20),
    "speaker": weights(load_encoder, 20),
    "hifigan": Target(mutations.change_json_file, read_hifigan, (VocoderError,), 20),
}
if find_ffmpeg() is None:
    del TARGETS["film"]


def try_input(target: Target, trial: Trial) -> tuple[bool, Exception | str]:
    """Read an input; return whether it was read, and what is wrong, if anything.

    Wrong are an error of another kind, and a message that is no sentence.
    """
    fault = _find_fault(target, trial)
    return fault is None, fault or ""


def _find_fault(target: Target, trial: Trial) -> Exception | str | None:
    """Return what is wrong, "" where the input is rightly refused, None where it is read."""
    try:
        target.read(trial)
        return None
    except target.errors as error:
        if type(error) not in target.errors:  # such as UnicodeDecodeError, a ValueError
            return error
        text = to_line(f"error: {error}")
        if not str(error) or len(text) > MAX_MESSAGE:
            return f"no sentence: {text[:200]}"
    except Exception as error:
        return error
    return ""
