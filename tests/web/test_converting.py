"""Conversions over the API: the same bits as in Python, in order, in flat memory."""

import base64
import io
import threading
import zipfile

import numpy as np
import pytest
import soundfile

import voxcycle
from voxcycle.vocoders.griffin_lim import GriffinLim


def job_of(server, uploads, voice, **more):
    body = {"kind": "convert", "uploads": uploads, "voice": voice, "vocoder": "griffin-lim"}
    job = server.add(**body | more)
    return server.finish(job["id"])


def sound_of(server, url):
    answer = server.client.get(url)
    assert answer.status_code == 200, answer.text
    return soundfile.read(io.BytesIO(answer.content), dtype="float32")


def test_a_conversion_is_the_one_of_python(server, own_voice, talk, voice_path):
    (upload,) = server.upload(talk)
    job = job_of(server, [upload], own_voice, pitch=2)
    assert (job["status"], job["progress"], job["can"]) == ("done", 1.0, ["delete"])
    (item,) = job["result"]["items"]
    expected = voxcycle.convert(talk, voice_path, pitch=2.0, vocoder="griffin-lim")
    heard, rate = sound_of(server, item["audio"])
    assert rate == 16_000 and len(heard) == len(expected.waveform)
    assert np.abs(heard - expected.waveform).max() < 2 / 32768
    assert item["notes"] == expected.notes and item["seconds"] == 1.5
    assert np.array_equal(sound_of(server, item["download"])[0], heard)
    name = server.client.get(item["download"]).headers["content-disposition"]
    assert name == 'attachment; filename="talk.unit.wav"'


def test_a_voice_of_a_pair_takes_the_pitch_of_the_recording_where_asked(
    server, make_voice, talk, tmp_path
):
    make_voice(is_any_to_one=False, name="pair").save(tmp_path / "pair.safetensors")
    with (tmp_path / "pair.safetensors").open("rb") as file:
        server.client.post("/api/voices", files={"file": file})
    heard = {}
    for file_stats in (False, True):
        job = job_of(server, server.upload(talk), "pair", file_stats=file_stats)
        expected = voxcycle.convert(
            talk, tmp_path / "pair.safetensors", use_file_stats=file_stats, vocoder="griffin-lim"
        )
        heard[file_stats] = sound_of(server, job["result"]["items"][0]["audio"])[0]
        assert np.abs(heard[file_stats] - expected.waveform).max() < 2 / 32768
    assert np.abs(heard[True] - heard[False]).max() > 0.01


@pytest.mark.parametrize("pitch, suffix", [("keep", "flac"), ("sing", "wav")])
def test_pitch_and_format_are_those_that_were_chosen(server, own_voice, talk, pitch, suffix):
    job = job_of(server, server.upload(talk), own_voice, pitch=pitch, format=suffix)
    (item,) = job["result"]["items"]
    expected = voxcycle.convert(
        talk, server.service.voices.get(own_voice).path, pitch=pitch, vocoder="griffin-lim"
    )
    content = server.client.get(item["download"]).content
    heard, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert soundfile.info(io.BytesIO(content)).format == suffix.upper()
    assert np.abs(heard - expected.waveform).max() < 2 / 32768


def test_source_and_output_are_equally_loud(server, own_voice, tmp_path, make_speech):
    soundfile.write(tmp_path / "loud.wav", 3 * make_speech(1.5, 44_100), 44_100)
    job = job_of(server, server.upload(tmp_path / "loud.wav"), own_voice)
    (item,) = job["result"]["items"]
    (output, _), (source, rate) = (sound_of(server, item[k]) for k in ("audio", "source_audio"))
    assert rate == 44_100 and len(source) == len(output)
    level_db = 10 * np.log10(np.mean(source**2) / np.mean(output**2))
    assert abs(level_db) < 0.1 or np.abs(source).max() > 0.97
    for key in ("picture", "source_picture"):
        picture = server.client.get(item[key]).json()
        n_bytes = len(base64.b64decode(picture["mel"]["data"]))
        assert n_bytes == picture["mel"]["frames"] * picture["mel"]["bands"]
        assert picture["seconds"] == 1.5


def test_many_recordings_come_as_an_archive_and_failures_are_said(
    server, own_voice, talk, tmp_path
):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    uploads = server.upload(talk, silent, talk)
    job = job_of(server, uploads, own_voice, format="flac")
    items = job["result"]["items"]
    assert [item["upload"] for item in items] == uploads
    assert [bool(item["error"]) for item in items] == [False, True, False]
    assert "silent.wav" in items[1]["error"] and str(tmp_path) not in items[1]["error"]
    assert "audio" not in items[1]
    archive = zipfile.ZipFile(io.BytesIO(server.client.get(job["result"]["zip"]).content))
    assert archive.testzip() is None
    assert archive.namelist() == ["talk.unit.flac", "talk.unit (2).flac"]
    assert archive.read("talk.unit.flac") == server.client.get(items[0]["audio"]).content
    for n in (1, 3, 99):
        assert server.client.get(f"/api/jobs/{job['id']}/items/{n}/audio").status_code == 404


def test_a_job_whose_recordings_all_fail_has_failed(server, own_voice, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    job = job_of(server, server.upload(tmp_path / "silent.wav"), own_voice)
    assert job["status"] == "failed" and job["message"].startswith("silent.wav: ")
    assert job["can"] == ["resume", "delete"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"voice": "nobody"},
        {"voice": "../../unit"},
        {"voice": "/etc/passwd"},
        {"voice": 7},
        {"uploads": []},
        {"uploads": "all"},
        {"uploads": [7]},
        {"uploads": ["0" * 16]},
        {"uploads": ["../x"]},
        {"pitch": 25},
        {"pitch": "high"},
        {"pitch": True},
        {"pitch": [1]},
        {"second_pass": 2},
        {"second_pass": "half"},
        {"vocoder": "/tmp/vocoder.pt"},
        {"vocoder": "../fast"},
        {"format": "exe"},
    ],
)
def test_wrong_requests_are_refused_with_a_sentence(server, talk, wrong):
    body = {"kind": "convert", "uploads": server.upload(talk), "voice": "heart"} | wrong
    answer = server.client.post("/api/jobs", json=body)
    assert answer.status_code in (400, 404) and answer.json()["error"].endswith(".")
    assert server.client.get("/api/jobs").json() == []
    assert list(server.service.queue.folder.iterdir()) == []


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b'{"a":' * 100_000, b'"' + b"x" * 2_000_000]
)
def test_bodies_that_are_no_object_are_refused(server, body):
    answer = server.client.post("/api/jobs", content=body)
    assert answer.status_code in (400, 413) and set(answer.json()) == {"error"}


def test_a_running_conversion_stops(server, own_voice, tmp_path, make_speech, monkeypatch):
    begun = threading.Event()
    decode = GriffinLim.decode

    def noted(self, *arguments, **options):
        begun.set()
        return decode(self, *arguments, **options)

    monkeypatch.setattr(GriffinLim, "decode", noted)
    soundfile.write(tmp_path / "long.wav", np.tile(make_speech(10, 16_000), 12), 16_000)
    job = server.add(
        kind="convert",
        uploads=server.upload(tmp_path / "long.wav"),
        voice=own_voice,
        vocoder="griffin-lim",
    )
    assert begun.wait(60)
    assert server.client.post(f"/api/jobs/{job['id']}/cancel").status_code == 200
    stopped = server.finish(job["id"])
    assert stopped["status"] == "stopped" and stopped["result"] is None
    left = list(server.service.queue.folder.rglob("*.part"))
    assert left == []


def test_an_upload_may_go_while_its_job_waits(server, own_voice, talk):
    (upload,) = server.upload(talk)
    job = server.add(kind="convert", uploads=[upload], voice=own_voice, vocoder="griffin-lim")
    server.client.delete(f"/api/uploads/{upload}")
    assert server.finish(job["id"])["status"] == "done"


def test_results_expire_and_uploads_need_room_for_them(start_server, talk):
    server = start_server(life_hours=0.5, quota_bytes=4 * talk.stat().st_size)
    (upload,) = server.upload(talk)
    body = {"kind": "convert", "voice": "heart", "vocoder": "griffin-lim", "uploads": [upload]}
    first = server.finish(server.add(**body)["id"])
    answer = server.client.post("/api/jobs", json=body)
    while answer.status_code == 201:
        server.finish(answer.json()["id"])
        answer = server.client.post("/api/jobs", json=body)
    assert answer.status_code == 507
    for job in server.service.queue.all():
        job.finished -= 1900
    server.service.clear()
    assert server.client.get(f"/api/jobs/{first['id']}").status_code == 404
    assert server.client.post("/api/jobs", json=body).status_code == 201


def test_a_damaged_voice_is_named_without_its_folder(server, talk, tmp_path):
    own = tmp_path / "data" / "voices"
    own.mkdir(parents=True)
    (own / "broken.safetensors").write_bytes(b"x" * 3000)
    job = job_of(server, server.upload(talk), "broken")
    assert job["status"] == "failed"
    assert job["message"].startswith("broken.safetensors: not a voxcycle voice file")


def test_a_full_folder_ends_a_job_and_what_was_converted_stays(start_server, talk, tmp_path):
    """Conversions are larger than what was sent: jobs that were taken may fill the folder."""
    samples, rate = soundfile.read(talk)
    soundfile.write(tmp_path / "talk.flac", samples, rate)
    sent, made = (tmp_path / "talk.flac").stat().st_size, 2 * len(samples)
    quota = 6 * sent + 10_000  # at the request, the sources count twice
    assert 4 * sent + made < quota < 4 * sent + 2 * made  # room for two of three
    server = start_server(quota_bytes=quota)
    job = job_of(server, server.upload(*[tmp_path / "talk.flac"] * 3), "heart")
    first, second, third = job["result"]["items"]
    assert first["error"] is None and second["error"] is None and "is full" in third["error"]
    assert len(sound_of(server, second["audio"])[0]) == len(samples)
