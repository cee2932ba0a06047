"""Exported voices: whole, true to the voice, and refused where they are not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from voxcycle.conversion.export import ExportError, export_voice, load_exportable, verify_export
from voxcycle.voices.library import load_voice

DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"
SECONDS = 3


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of heart, and of heart in eight bits."""
    voice, folders = load_voice("heart"), []
    vocoder = load_exportable("fast", voice.spec)
    for name, is_int8 in (("heart", False), ("small", True)):
        folders.append(tmp_path_factory.mktemp("export") / name)
        export_voice(voice, vocoder, folders[-1], is_int8)
    return folders


def test_the_graphs_are_valid_and_give_what_the_voice_gives(exported):
    for name in ("content.onnx", "generator.onnx", "filters.onnx"):
        onnx.checker.check_model(onnx.load(exported[0] / name), full_check=True)
    found = verify_export(exported[0], DEMO, SECONDS)
    assert [d.name for d in found.differences] == ["content.onnx", "generator.onnx", "waveform"]
    assert all(d.largest < 1e-4 for d in found.differences)
    assert len(found.own) == SECONDS * found.sample_rate // 256 * 256
    np.testing.assert_allclose(found.exported, found.own, atol=1e-4)


def test_eight_bits_are_half_as_large_and_near(exported):
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in exported]
    assert sizes[1] < 0.6 * sizes[0]
    found = verify_export(exported[1], DEMO, SECONDS)
    assert all(-60 < d.relative_db < -20 for d in found.differences)


def test_a_voice_that_is_not_installed_is_verified_by_its_file(exported, tmp_path):
    path = tmp_path / "mine.safetensors"
    heart = load_voice("heart")
    replace(heart, card=replace(heart.card, name="mine")).save(path)
    voice = load_voice(path)
    export_voice(voice, load_exportable("fast", voice.spec), tmp_path / "out")
    found = verify_export(tmp_path / "out", DEMO, SECONDS, path)
    assert all(d.largest < 1e-4 for d in found.differences)
    with pytest.raises(ExportError, match="made from another file"):
        verify_export(exported[0], DEMO, SECONDS, path)


def test_the_document_holds_what_a_program_needs(exported):
    document = json.loads((exported[0] / "voice.json").read_text())
    assert document["mel"]["hop_length"] == 256 and document["card"]["licence"] == "Apache-2.0"
    assert len(document["target_stats"]["mel_mean"]) == 80
    tables = load_file(exported[0] / "tables.safetensors")
    assert tables["mel_filters"].shape == (80, 513) and tables["content_mean"].shape == (384,)
    assert tables["combs"].shape == (len(tables["comb_log_f0"]), 80)
    assert set(document["files"]) | {"voice.json"} == {p.name for p in exported[0].iterdir()}


def test_what_cannot_be_trusted_or_written_is_said(exported, tmp_path):
    with pytest.raises(ExportError, match="no export is there"):
        verify_export(tmp_path, DEMO, SECONDS)
    copy = tmp_path / "copy"
    voice = load_voice("heart")
    export_voice(voice, load_exportable("fast", voice.spec), copy)
    with (copy / "generator.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ExportError, match="generator.onnx: missing or altered"):
        verify_export(copy, DEMO, SECONDS)
    (copy / "voice.json").write_text("{")
    with pytest.raises(ExportError, match="damaged"):
        verify_export(copy, DEMO, SECONDS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ExportError, match="holds other files"):
        export_voice(voice, load_exportable("fast", voice.spec), tmp_path / "mine")
    with pytest.raises(ExportError, match="only fast"):
        load_exportable("griffin-lim", voice.spec)
