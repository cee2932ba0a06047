"""The voice file: what is saved comes back; what is damaged is refused in one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

from voxcycle.artifacts import ArtifactError
from voxcycle.voices.voice import Voice


@pytest.fixture
def saved(make_voice, tmp_path):
    make_voice().save(tmp_path / "ada.safetensors")
    return tmp_path / "ada.safetensors"


def rewrite(path, change):
    """Change the header's JSON or the arrays of a voice file as a tinkerer would."""
    with safe_open(path, framework="numpy") as opened:
        header = json.loads(opened.metadata()["voxcycle"])
        arrays = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
    change(header, arrays)
    save_file(arrays, path, metadata={"voxcycle": json.dumps(header)})


def test_saving_and_loading_keeps_everything(make_voice, tmp_path):
    voice = replace(make_voice(), second_pass=0.25)
    voice.save(tmp_path / "sub" / "ada.safetensors")
    loaded = Voice.load(tmp_path / "sub" / "ada.safetensors")
    assert loaded.card == voice.card
    assert loaded.spec == voice.spec
    assert loaded.is_any_to_one == voice.is_any_to_one
    assert loaded.second_pass == 0.25
    assert loaded.path == tmp_path / "sub" / "ada.safetensors"
    assert loaded.generator.arguments == voice.generator.arguments
    for side in ("source_stats", "target_stats"):
        ours, theirs = getattr(voice, side), getattr(loaded, side)
        np.testing.assert_array_equal(ours.mel_mean, theirs.mel_mean)  # four decimals, kept
        np.testing.assert_array_equal(ours.mel_std, theirs.mel_std)
        assert (ours.log_f0_mean, ours.log_f0_std) == (theirs.log_f0_mean, theirs.log_f0_std)
    for key, value in voice.generator.weights.items():
        np.testing.assert_array_equal(loaded.generator.weights[key], value)
    rng = np.random.default_rng(0)
    inputs = {"source": rng.normal(size=(9, 80)), "excitation": rng.normal(size=(9, 81))}
    wanted = voice.generator.run(inputs)["mel"]
    np.testing.assert_array_equal(loaded.generator.run(inputs)["mel"], wanted)


def test_weights_are_stored_as_fp16_and_nothing_is_left_beside(saved):
    assert {v.dtype for v in load_file(saved).values()} == {torch.float16}
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_saving_rounds_weights_to_fp16_once(make_voice, tmp_path):
    voice = make_voice()
    voice.generator.weights["embed.bias"][:] = 1 / 3
    voice.save(tmp_path / "ada.safetensors")
    loaded = Voice.load(tmp_path / "ada.safetensors")
    # The nearest multiple of 2^-12 (11 significant bits): 1365 / 4096.
    assert np.unique(loaded.generator.weights["embed.bias"]).tolist() == [1365 / 4096]


def change_header(**changes):
    """Return what updates the header's values and, within dictionaries, theirs; None removes."""

    def change(header, arrays):
        for key, value in changes.items():
            if value is None:
                del header[key]
            elif isinstance(value, dict):
                header[key].update(value)
            else:
                header[key] = value

    return lambda path: rewrite(path, change)


MISFIT = "header and weights of this voice file do not fit together"
# What any file may suffer: tests/test_artifacts.py.
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "published network": (
        change_header(network="MaskCycleGANGenerator"),
        "unknown network MaskCycleGANGenerator; known is VoiceGenerator",
    ),
    "unknown argument": (change_header(generator={"gadget": 1}), MISFIT),
    "text for statistics": (change_header(target_stats={"mel_mean": ["x"]}), MISFIT),
    "no card": (change_header(card=None), MISFIT),
    "features of another encoder": (change_header(generator={"n_content": 79}), "n_content=79"),
    "a generator that is not bound": (change_header(generator={"n_condition": 4}), "not bound"),
    "text for features": (change_header(generator={"n_content": "384"}), MISFIT),
    "second pass below 0": (change_header(second_pass=-0.1), "second_pass .*0 to 1"),
    "second pass above 1": (change_header(second_pass=1.5), "second_pass .*0 to 1"),
    "second pass of nan": (change_header(second_pass=float("nan")), "second_pass .*0 to 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_sentence(saved, damage):
    make, message = DAMAGES[damage]
    make(saved)
    with pytest.raises(ArtifactError, match=message) as raised:
        Voice.load(saved)
    assert str(raised.value).startswith(f"{saved}: ")
    assert "\n" not in str(raised.value)


def test_a_pickle_named_as_a_voice_runs_nothing(saved, exploit):
    torch.save({"voxcycle": exploit}, saved)
    with pytest.raises(ArtifactError, match="not a voxcycle voice file"):
        Voice.load(saved)
    assert not exploit.path.exists()


def test_a_voice_prints_as_one_line(voice):
    assert repr(voice) == f"Voice({voice.card.name!r}, any source, not in a file)"
