"""The voices over the API: the library of the user, hostile files, samples and exports."""

import io
import json
import struct
import zipfile
from dataclasses import replace

import pytest
import soundfile

from voxcycle.voices.library import list_voices


def test_the_list_is_that_of_the_library(server):
    shown = {voice["name"]: voice for voice in server.client.get("/api/voices").json()}
    assert list(shown) == [voice.name for voice in list_voices()]
    heart = shown["heart"]
    assert heart["is_shipped"] and heart["kind"] == "anyone" and heart["language"] == "en"
    assert 0.8 < heart["scores"]["similarity"] < 1 and heart["scores"]["wer"] < 0.1
    card = server.client.get("/api/voices/heart").json()["card"]
    assert card["licence"] == heart["licence"] == "Apache-2.0"
    assert server.client.get("/api/voices/nobody").status_code == 404


def test_a_voice_is_added_heard_renamed_saved_and_deleted(server, own_voice, voice_path):
    assert own_voice == "unit"
    answer = server.client.get("/api/voices/unit/file")
    assert answer.content == voice_path.read_bytes()
    assert server.client.get("/api/voices/unit/sample").headers["content-type"] == "audio/wav"
    renamed = server.client.patch("/api/voices/unit", json={"name": "my voice"}).json()
    assert (renamed["id"], renamed["is_shipped"]) == ("my voice", False)
    assert server.client.get("/api/voices/my voice").json()["card"]["name"] == "my voice"
    assert server.client.get("/api/voices/unit").status_code == 404
    assert server.client.delete("/api/voices/my%20voice").status_code == 200
    assert {voice.origin for voice in list_voices()} == {"shipped"}


def test_another_voice_of_a_name_is_refused_and_the_same_one_is_not(
    server, own_voice, make_voice, tmp_path
):
    path = tmp_path / "unit.safetensors"
    for hears, status in ((False, 201), (True, 409)):
        make_voice(hears=hears).save(path)
        with path.open("rb") as file:
            answer = server.client.post("/api/voices", files={"file": file})
        assert answer.status_code == status
    assert answer.json()["error"].startswith("Another voice named unit is there already")


def test_a_sample_is_made_once_and_anew_for_another_file(server):
    first = server.client.get("/api/voices/heart/sample").content
    (kept,) = server.service.voices.folder.glob("*.wav")
    stamp = kept.stat().st_mtime_ns
    assert server.client.get("/api/voices/heart/sample").content == first
    assert kept.stat().st_mtime_ns == stamp
    waveform, rate = soundfile.read(io.BytesIO(first))
    assert (len(waveform), rate) == (round(7.075 * 24_000), 24_000) and abs(waveform).max() > 0.05


@pytest.mark.parametrize(
    "name", ["../evil", "..", "a/b", "a\\b", "", " ", "x" * 61, "heart", "a\x00b", "a\nb", 7, None]
)
def test_names_that_are_no_files_names_are_refused(server, own_voice, name):
    answer = server.client.patch(f"/api/voices/{own_voice}", json={"name": name})
    assert answer.status_code in (400, 409) and set(answer.json()) == {"error"}
    assert [voice.name for voice in list_voices() if voice.origin == "own"] == ["unit"]


def test_shipped_voices_stay(server):
    assert server.client.delete("/api/voices/heart").status_code == 409
    assert server.client.patch("/api/voices/heart", json={"name": "mine"}).status_code == 409
    assert "heart" in {voice.name for voice in list_voices()}


def header_of(size, text=b""):
    return struct.pack("<Q", size) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 an archive",
        b"\x80\x04\x95 a pickle",
        header_of(1 << 62),
        header_of(100_000_000, b"{}"),
        header_of(2_000_000, b'{"__metadata__":' * 125_000),
        header_of(2, b"{}"),
        header_of(
            len(b := b'{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}'), b
        ),
        header_of(len(b := json.dumps({"__metadata__": {"voxcycle": "[" * 100_000}}).encode()), b),
    ],
    ids=["empty", "zip", "pickle", "length", "short", "deep", "none", "shape", "metadata"],
)
def test_files_that_are_no_voices_are_refused(server, data):
    answer = server.client.post("/api/voices", files={"file": ("evil.safetensors", data)})
    assert answer.status_code == 422, answer.text
    assert "incoming" not in answer.json()["error"] and "/" not in answer.json()["error"]
    assert {voice.origin for voice in list_voices()} == {"shipped"}
    assert list((server.service.uploads.folder / "incoming").iterdir()) == []


def test_no_pickle_runs(server, exploit):
    import pickle

    data = pickle.dumps(exploit)
    for name in ("voice.safetensors", "voice.pt", "voice.pth"):
        answer = server.client.post("/api/voices", files={"file": (name, data)})
        assert answer.status_code == 422
    assert not exploit.path.exists()


def test_a_name_inside_a_voice_leads_nowhere(server, make_voice, tmp_path):
    voice = make_voice()
    path = tmp_path / "evil.safetensors"
    replace(voice, card=replace(voice.card, name="../../evil")).save(path)
    with path.open("rb") as file:
        answer = server.client.post("/api/voices", files={"file": ("evil.safetensors", file)})
    assert answer.status_code == 422 and "name" in answer.json()["error"]
    assert list(tmp_path.rglob("evil*")) == [path]


def test_a_card_of_nonsense_spoils_no_list(server, make_voice, tmp_path):
    voice = make_voice()
    path = tmp_path / "evil.safetensors"
    card = replace(
        voice.card,
        name="evil",
        language="x" * 10_000,
        scores={"wer": float("nan"), "secs_target": "<b>", "distillmos": True},
        training={"steps": 10**4000, "minutes_of_speech": {"a": 10**400, "b": float("inf")}},
    )
    replace(voice, card=card).save(path)
    with path.open("rb") as file:
        assert server.client.post("/api/voices", files={"file": file}).status_code == 201
    (evil,) = [v for v in server.client.get("/api/voices").json() if v["name"] == "evil"]
    assert evil["scores"] is None and evil["trained"] is None and len(evil["language"]) == 200
    assert server.client.get("/api/voices/evil").json()["card"]["scores"]["wer"] is None


def test_a_voice_is_exported_as_graphs(server):
    answer = server.client.get("/api/voices/heart/export")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = {name.partition("/")[2] for name in archive.namelist()}
    assert {"generator.onnx", "voice.json", "README.md"} <= names
    assert list(server.service.voices.folder.glob("export-*")) == []


@pytest.mark.parametrize("part", ["", "/sample", "/export"])
def test_a_damaged_voice_is_named_without_its_folder(server, tmp_path, part):
    own = tmp_path / "data" / "voices"
    own.mkdir(parents=True)
    (own / "cut short.safetensors").write_bytes(b"x" * 3000)
    address = f"/api/voices/cut short{part}"
    if part:
        answer = server.client.get(address)
    else:
        answer = server.client.patch(address, json={"name": "other"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cut short.safetensors: not a voxcycle voice file")
    assert str(tmp_path) not in answer.text


def test_what_an_export_left_half_way_goes_at_the_start(start_server, tmp_path):
    (tmp_path / "served/samples/export-1/heart-onnx").mkdir(parents=True)
    (tmp_path / "served/samples/a.wav").write_bytes(b"")
    start_server()
    assert [path.name for path in (tmp_path / "served/samples").iterdir()] == ["a.wav"]
