"""The one file format: shipped and older files load, everything else is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from voxcycle.artifacts import (
    KEY,
    OLDER_KEYS,
    PHONETIC_ENCODER,
    PRETRAINED,
    SPEAKER_ENCODER,
    VOCODER,
    VOICE,
    ArtifactError,
    check_sizes,
    hash_arrays,
    read_artifact,
    read_header,
    write_artifact,
)
from voxcycle.audio.f0 import TRACKER
from voxcycle.conversion.pipeline import convert
from voxcycle.models import speaker_encoder
from voxcycle.models.weights import store_network
from voxcycle.speech.embedding import load_encoder, save_encoder
from voxcycle.vocoders.registry import FAST_FILE
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.content import PHONETIC_FILE, PhoneticEncoder
from voxcycle.voices.library import EMBEDDED_DIR
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.speaker_encoder import SpeakerEncoder
from voxcycle.voices.voice import Voice

SHIPPED = {
    **{path.stem: (path, VOICE) for path in sorted(EMBEDDED_DIR.glob("*.safetensors"))},
    "pretrained": (PRETRAINED_FILE, PRETRAINED),
    "phonetic_encoder": (PHONETIC_FILE, PHONETIC_ENCODER),
    "fast": (FAST_FILE, VOCODER),
}
LOADERS: dict[str, Callable[[Path], Any]] = {
    VOICE: Voice.load,
    PRETRAINED: Pretrained.load,
    PHONETIC_ENCODER: PhoneticEncoder.load,
    VOCODER: SourceFilter.load,
}
TRAINED: dict[str, Callable[[Path], Any]] = {  # kinds that are not shipped, too
    **LOADERS,
    SPEAKER_ENCODER: load_encoder,
}


def write_kind(kind, path):
    """Write a sound file of a kind."""
    if kind == SPEAKER_ENCODER:
        stored = store_network(speaker_encoder.SpeakerEncoder(80, 16, 1, 6))
        save_encoder(SpeakerEncoder(stored.arguments, stored.weights), path, {})
    else:
        source = next(p for p, own in SHIPPED.values() if own == kind)
        save_again(LOADERS[kind](source), path)


def save_again(loaded, path):
    if isinstance(loaded, SourceFilter):
        loaded.save(path, loaded.about)
    else:
        loaded.save(path)


def rewrite(path, change):
    """Change the JSON of a file's header, as a tinkerer would."""
    with safe_open(path, framework="numpy") as opened:
        metadata = dict(opened.metadata())
    header = json.loads(metadata[next(iter(metadata))])
    change(header)
    save_file(load_file(path), path, metadata={KEY: json.dumps(header)})


@pytest.fixture(params=SHIPPED)
def shipped(request, tmp_path):
    """A copy of a shipped file, saved in today's format, and its kind."""
    source, kind = SHIPPED[request.param]
    save_again(LOADERS[kind](source), path := tmp_path / "copy.safetensors")
    return path, kind


def numbers(path):
    """Return all weights of a file, whatever the tensors are called."""
    return sorted(array.tobytes() for array in load_file(path).values())


def test_seven_files_are_shipped():
    assert len(SHIPPED) == 7


def test_a_shipped_file_keeps_its_weights_and_statistics(shipped):
    path, kind = shipped
    again = LOADERS[kind](path)
    save_again(again, path.with_name("twice.safetensors"))
    assert path.read_bytes() == path.with_name("twice.safetensors").read_bytes()
    source = next(p for p, k in SHIPPED.values() if k == kind and numbers(p) == numbers(path))
    for key in ("mel_spec", "source_stats", "target_stats", "reference", "card", "about"):
        assert read_header(source, kind).get(key) == read_header(path, kind).get(key)


def network(header):
    """Return the arguments of the network; in voices `network` is its name."""
    names = ("generator", "encoder", "network")
    return header[next(name for name in names if name in header)]


UNREADABLE = "not a voxcycle {kind} file, or cut short"
NEWER = "this voxcycle reads up to 3; update voxcycle"
DAMAGED = "the header of this {kind} file is damaged"
CHECKSUM = "do not match their checksum"
MISFIT = "header and weights of this {kind} file do not fit together"


def write_header(text, key=KEY):
    return lambda path: save_file(load_file(path), path, metadata={key: text})


def alter(change):
    """Return what changes the bytes of a file."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def resize(part, **changes):
    """Return what changes sizes in the analysis of a header, or of its network."""
    return lambda header: (network(header) if part == "network" else header[part]).update(changes)


FILE_DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "no such file"),
    "empty": (alter(lambda content: b""), UNREADABLE),
    "text": (alter(lambda content: b"a file"), UNREADABLE),
    "cut in the header": (alter(lambda content: content[:100]), UNREADABLE),
    "half": (alter(lambda content: content[: len(content) // 2]), UNREADABLE),
    "one byte less": (alter(lambda content: content[:-1]), UNREADABLE),
    "one byte more": (alter(lambda content: content + b"0"), UNREADABLE),
    "one bit altered": (alter(lambda c: c[:-1] + bytes([c[-1] ^ 1])), CHECKSUM),
    "text as header": (write_header("{"), DAMAGED),
    "deep header": (write_header("[" * 100_000), DAMAGED),
    "list as header": (write_header("[1]"), DAMAGED),
    "newer, by an older key": (write_header('{"format_version": 9}', "voxcycle_vocoder"), NEWER),
    "foreign": (lambda path: save_file({"x": np.zeros(3)}, path), "but not a voxcycle {kind}"),
}
HEADER_DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newer": (lambda header: header.update(format_version=4), f"has format 4, {NEWER}"),
    "a version as text": (lambda header: header.update(format_version="3"), DAMAGED),
    "no version": (lambda header: header.pop("format_version"), DAMAGED),
    "no checksum": (lambda header: header.pop("sha256"), CHECKSUM),
    "no analysis": (lambda header: header.pop("mel_spec"), MISFIT),
    "another kind": (lambda header: header.update(kind="sandwich"), "of the kind sandwich"),
    "huge analysis": (resize("mel_spec", n_fft=1 << 40), MISFIT),
    "text in the analysis": (resize("mel_spec", hop_length="256"), MISFIT),
    "huge network": (resize("network", width=1 << 30), MISFIT),
    "other network": (resize("network", width=8), MISFIT),
}


@pytest.mark.parametrize("damage", [*FILE_DAMAGES, *HEADER_DAMAGES])
@pytest.mark.parametrize("kind", TRAINED)
def test_what_is_damaged_or_hostile_is_refused_in_one_sentence(kind, damage, tmp_path):
    write_kind(kind, path := tmp_path / "copy.safetensors")
    if damage in FILE_DAMAGES:
        make, words = FILE_DAMAGES[damage]
        make(path)
    else:
        change, words = HEADER_DAMAGES[damage]
        rewrite(path, change)
    with pytest.raises(ArtifactError) as raised:
        TRAINED[kind](path)
    said = str(raised.value)
    assert said.startswith(f"{path}: ") and words.format(kind=kind) in said
    assert "\n" not in said
    assert ("update voxcycle" in said) == (words.endswith(NEWER))


@pytest.mark.parametrize("kind", TRAINED)
def test_a_file_of_another_kind_is_named(kind, tmp_path):
    path = next(path for path, other in SHIPPED.values() if other != kind)
    with pytest.raises(ArtifactError, match=f"of the kind .*, not {kind}"):
        TRAINED[kind](path)


def test_voices_of_older_formats_load(voice, tmp_path):
    """At first they named no network and had no second pass; then it was called strength."""
    replace(voice, second_pass=0.5).save(path := tmp_path / "old.safetensors")
    new, arrays, header = Voice.load(path), load_file(path), read_header(path, VOICE)
    for key in ("kind", "network", "second_pass", "f0_tracker"):
        header.pop(key)
    for key in ("n_content", "has_skip"):  # had a skip unless said
        header["generator"].pop(key)
    renamed = {"embed": "inlet", "out": "outlet"}
    arrays = {
        ".".join(renamed.get(part, part) for part in name.split(".")): array
        for name, array in arrays.items()
    }
    header |= {"format_version": 1, "sha256": hash_arrays(arrays)}
    save_file(arrays, path, metadata={KEY: json.dumps(header)})
    old = Voice.load(path)
    assert (old.second_pass, old.f0_tracker) == (0.0, "dio") and old.generator.has_skip
    speech = np.sin(np.arange(22_050) * 0.04).astype(np.float32) * 0.1
    first, second = (
        convert(speech, v, sample_rate=22_050, vocoder="fast", second_pass=0.0).waveform
        for v in (old, new)
    )
    assert np.array_equal(first, second)
    save_file(arrays, path, metadata={KEY: json.dumps(header | {"strength": 0.5})})
    assert Voice.load(path).second_pass == 0.5


def test_files_name_the_tracker_of_their_statistics(tmp_path):
    """Those of DIO's time name none. They too are converted with the tracker of today."""
    path = tmp_path / "kept.safetensors"
    new = Voice.load(EMBEDDED_DIR / "heart.safetensors")
    assert new.f0_tracker == TRACKER
    old = replace(new, f0_tracker="dio")
    old.save(path)
    assert Voice.load(path).f0_tracker == "dio"
    new.save(path)
    assert read_header(path, VOICE)["f0_tracker"] == "swift-f0"
    tone = np.sin(2 * np.pi * 150 * np.arange(22_050) / 22_050).astype(np.float32) * 0.1
    asked = [convert(tone, voice, sample_rate=22_050).f0_hz for voice in (old, new)]
    assert np.array_equal(*asked) and (asked[0] > 0).mean() > 0.7
    fast = SourceFilter.load(FAST_FILE)
    assert fast.f0_tracker == "swift-f0"
    replace(fast, f0_tracker="dio").save(path := tmp_path / "vocoder.safetensors", {})
    assert read_header(path, VOCODER)["f0_tracker"] == "dio"
    SourceFilter(fast.network, fast.spec).save(path, {})
    assert SourceFilter.load(path).f0_tracker == "swift-f0"


def test_the_checksum_covers_names_types_shapes_and_bytes():
    x = np.arange(6, dtype=np.float32)
    changes = ({"y": x}, {"x": x.astype(np.float64)}, {"x": x.reshape(2, 3)}, {"x": x + 1})
    assert len({hash_arrays(arrays) for arrays in ({"x": x}, *changes)}) == 5


def test_what_is_written_is_read(tmp_path):
    arrays = {"b": np.zeros((2, 0), np.float16), "a": np.arange(3)[::-1]}
    write_artifact(path := tmp_path / "sub" / "x.safetensors", VOCODER, {"n": [1, 2]}, arrays)
    artifact = read_artifact(path, VOCODER)
    assert artifact.header["n"] == [1, 2] and artifact.header["kind"] == VOCODER
    assert artifact.arrays["a"].tolist() == [2, 1, 0] and artifact.arrays["b"].shape == (2, 0)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_sizes_are_bounded():
    check_sizes({"width": 192, "has_skip": False, "widths": [32, 64], "voiced_noise": 0.5})
    for bad in ({"width": 10**6}, {"width": -1}, {"width": "192"}, {"widths": [1, 10**9]}):
        with pytest.raises(ValueError, match="width"):
            check_sizes(bad)


def test_every_key_of_a_header_names_one_kind():
    assert {*OLDER_KEYS.values(), PHONETIC_ENCODER} == LOADERS.keys()
    assert len(set(OLDER_KEYS.values())) == len(OLDER_KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6 + "]" * 10**6,
        '{"kind": "voice", "format_version": Infinity}',
        '{"kind": "voice", "format_version": ' + "9" * 5000 + "}",
        '{"kind": ["voice"], "format_version": 3}',
        '"voice"',
    ],
)
def test_hostile_headers_are_refused(tmp_path, text):
    path = tmp_path / "a.safetensors"
    save_file({}, path, metadata={KEY: text})
    with pytest.raises(ArtifactError, match="the header of this voice file is damaged"):
        Voice.load(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("source_stats", {"mel_mean": [0.0] * 3}, "not 80 bands"),
        ("target_stats", {"mel_std": [0.0] * 80}, "deviations that are not positive"),
        ("target_stats", {"log_f0_mean": float("nan")}, "statistics that are not finite"),
        ("card", {"name": ["a"]}, "name of the card is a list, no str"),
        ("card", {"scores": "good"}, "scores of the card is a str, no dict"),
    ],
)
def test_facts_of_a_voice_have_their_types_and_sizes(voice_path, tmp_path, key, value, words):
    path = tmp_path / "a.safetensors"
    path.write_bytes(voice_path.read_bytes())
    rewrite(path, lambda header: header[key].update(value))
    with pytest.raises(ArtifactError, match=words):
        Voice.load(path)
