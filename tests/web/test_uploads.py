"""Uploads: what comes back, and what hostile clients try."""

import base64
import json
import os
import socket
import struct
import time

import numpy as np
import pytest
import soundfile

from voxcycle.web.multipart import shown_name
from voxcycle.web.settings import Limits
from voxcycle.web.uploads import Uploads, folder_bytes

BOUNDARY = "----attack"


def head_of_upload(server, *more):
    lines = (
        "POST /api/uploads HTTP/1.1",
        "host: 127.0.0.1",
        f"x-csrf-token: {server.settings.csrf}",
        f"content-type: multipart/form-data; boundary={BOUNDARY}",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode()


PART = (
    f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
).encode()


def answer_of(opened):
    """Return status and JSON of the answer on a socket; the server closes it, or has said all."""
    data = b""
    while b"}" not in data:
        piece = opened.recv(65_536)
        if not piece:
            break
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def leftovers(server):
    return [path for path in (server.service.uploads.folder / "incoming").iterdir()]


def test_a_recording_comes_back_as_it_went(server, talk):
    (upload_id,) = server.upload(talk, set_name="train-a")
    (listed,) = server.client.get("/api/uploads").json()
    assert listed["id"] == upload_id and listed["name"] == "talk.wav" and listed["set"] == "train-a"
    assert (listed["seconds"], listed["sample_rate"]) == (1.5, 16_000)
    assert listed["bytes"] == talk.stat().st_size
    answer = server.client.get(f"/api/uploads/{upload_id}/audio")
    assert answer.headers["content-type"] == "audio/wav"
    heard = server.service.uploads.folder / upload_id / "played.wav"
    assert answer.content == heard.read_bytes()
    original, played = soundfile.read(talk)[0], soundfile.read(heard)[0]
    assert np.abs(original - played).max() < 2 / 32768  # one step of 16 bits
    part = server.client.get(f"/api/uploads/{upload_id}/audio", headers={"range": "bytes=0-99"})
    assert part.status_code == 206 and part.content == answer.content[:100]
    assert server.client.delete(f"/api/uploads/{upload_id}").status_code == 200
    assert server.client.get("/api/uploads").json() == []
    assert server.client.get(f"/api/uploads/{upload_id}/audio").status_code == 404


def test_the_picture_shows_tone_and_pitch(server, tmp_path):
    rate = 22_050
    t = np.arange(rate * 3) / rate
    tone = 0.1 * sum(np.sin(2 * np.pi * 200 * k * t) / k for k in range(1, 15))
    soundfile.write(tmp_path / "tone.wav", tone, rate)
    (upload_id,) = server.upload(tmp_path / "tone.wav")
    picture = server.client.get(f"/api/uploads/{upload_id}/picture").json()
    frames, bands = picture["mel"]["frames"], picture["mel"]["bands"]
    mel = np.frombuffer(base64.b64decode(picture["mel"]["data"]), np.uint8).reshape(frames, bands)
    assert picture["seconds"] == 3 and len(picture["f0_hz"]) == frames
    assert mel.max() == 255 and mel[10:-10, :8].mean() > mel[10:-10, -8:].mean()
    voiced = [f0 for f0 in picture["f0_hz"][10:-10] if f0]
    assert len(voiced) > 0.9 * (frames - 20) and abs(np.median(voiced) - 200) < 2


def test_a_long_recording_has_a_picture_of_at_most_2000_columns(tmp_path, make_speech):
    from voxcycle.web.pictures import draw

    speech = np.tile(make_speech(10, 8000), 7)
    soundfile.write(tmp_path / "long.flac", speech, 8000)
    picture = draw(tmp_path / "long.flac")
    assert 1500 < picture["mel"]["frames"] == len(picture["f0_hz"]) <= 2000


@pytest.mark.parametrize(
    "sent, shown",
    [
        (b"../../etc/passwd", "passwd"),
        (b"..\\..\\windows\\system.ini", "system.ini"),
        (b"/absolute/talk.wav", "talk.wav"),
        (b"folder/talk.wav", "talk.wav"),
        (b"..", "recording"),
        (b"", "recording"),
        (b"a\x00b\nc.wav", "abc.wav"),
        (b"<script>alert(1)</script>.wav", "script.wav"),
        (b"\xff\xfe.wav", "\ufffd\ufffd.wav"),
        (b"x" * 1000 + b".wav", "x" * 196 + ".wav"),
    ],
)
def test_names_are_for_show_alone(sent, shown):
    assert shown_name(sent) == shown


def test_no_name_leads_out_of_the_folder(server, talk, tmp_path):
    before = {path for path in tmp_path.rglob("*") if "served" not in path.parts}
    for name in (
        "../../../evil.wav",
        "..%2f..%2fevil.wav",
        "/tmp/evil.wav",
        "C:\\evil.wav",
        ".wav",
    ):
        with talk.open("rb") as file:
            answer = server.client.post("/api/uploads", files={"file": (name, file)})
        assert answer.status_code == 201 and "/" not in answer.json()[0]["name"]
    assert {path for path in tmp_path.rglob("*") if "served" not in path.parts} == before
    folder = server.service.uploads.folder
    assert all(path.name == "incoming" or len(path.name) == 16 for path in folder.iterdir())


@pytest.mark.parametrize(
    "upload_id",
    ["..", "../../jobs.sqlite", "%2e%2e", "..%2f..%2fjobs.sqlite", "incoming", "A" * 16, "0" * 15],
)
def test_no_id_leads_out_of_the_folder(server, upload_id):
    write = {"x_csrf_token": server.settings.csrf}
    for path in (
        f"/api/uploads/{upload_id}/audio",
        f"/static/{upload_id}",
        f"/api/jobs/{upload_id}",
    ):
        status, body = server.ask(path)
        assert status == 404 and set(json.loads(body)) == {"error"}
    assert server.ask(f"/api/uploads/{upload_id}", "DELETE", **write)[0] in (404, 405)
    job = {"kind": "convert", "voice": "heart", "uploads": [upload_id]}
    assert server.client.post("/api/jobs", json=job).status_code == 404


def test_what_is_no_audio_is_said_and_the_others_are_kept(server, talk, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    (tmp_path / "cut.wav").write_bytes(talk.read_bytes()[:20])
    with talk.open("rb") as good:
        files = [("file", ("good.wav", good))]
        for name in ("empty.wav", "page.html", "cut.wav"):
            files.append(("file", (name, (tmp_path / name).read_bytes())))
        answer = server.client.post("/api/uploads", files=files).json()
    assert [each["name"] for each in answer] == ["good.wav", "empty.wav", "page.html", "cut.wav"]
    assert ["error" in each for each in answer] == [False, True, True, True]
    for each in answer[1:]:
        assert each["error"].startswith(f"{each['name']}: ") and str(tmp_path) not in each["error"]
    assert leftovers(server) == [] and len(server.client.get("/api/uploads").json()) == 1


def test_an_announced_or_endless_upload_is_cut_at_the_limit(start_server):
    server = start_server(upload_bytes=1_000_000)
    body = PART + b"\0" * 1_200_000 + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = server.client.post("/api/uploads", content=body, headers=kind)
    assert answer.status_code == 413 and "1 MB" in answer.json()["error"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        opened.sendall(head_of_upload(server, "content-length: 1000001"))
        assert answer_of(opened)[0] == 413  # before any of it is sent
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        opened.sendall(head_of_upload(server, "transfer-encoding: chunked"))
        opened.sendall(b"%x\r\n" % len(PART) + PART + b"\r\n")
        n_bytes = 0
        with pytest.raises(ConnectionError):
            while n_bytes < 200_000_000:
                opened.sendall(b"10000\r\n" + b"\0" * 65_536 + b"\r\n")
                n_bytes += 65_536
    assert n_bytes < 40_000_000 and leftovers(server) == []
    assert server.client.get("/api/uploads").json() == []


def test_an_upload_that_stops_or_drips_is_given_up(start_server):
    server = start_server(patience_s=0.5)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        opened.sendall(head_of_upload(server, "content-length: 100000") + PART + b"\0" * 100)
        status, answer = answer_of(opened)
    assert status == 408 and "half-way" in answer["error"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        opened.sendall(head_of_upload(server, "content-length: 100000") + PART)
        with pytest.raises(ConnectionError):
            for _ in range(200):
                opened.sendall(b"\0")
                time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        opened.sendall(head_of_upload(server, "content-length: 100000") + PART + b"\0" * 100)
    for _ in range(100):  # the last client has gone
        if not leftovers(server):
            break
        time.sleep(0.05)
    assert leftovers(server) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        PART,
        PART + b"data without an end",
        f"--{BOUNDARY}--\r\n".encode(),
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"\r\n\r\n1\r\n'.encode(),
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="x"; filename="y"\r\n\r\n1'.encode(),
        f"--{BOUNDARY}\r\n{'x' * 100_000}: y\r\n\r\n".encode(),
        f"--{BOUNDARY}\r\n".encode() + b"x: y\r\n" * 10_000 + b"\r\n",
        f"--{BOUNDARY}\r\ncontent-disposition: {'y' * 100_000}\r\n\r\n1".encode(),
    ],
)
def test_forms_that_are_none_are_refused(server, body):
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = server.client.post("/api/uploads", content=body, headers=kind)
    assert answer.status_code == 400 and answer.json()["error"].endswith(".")
    assert leftovers(server) == []


@pytest.mark.parametrize(
    "kind",
    ["application/json", "multipart/form-data", "", f"multipart/form-data; boundary={'x' * 300}"],
)
def test_bodies_of_other_types_are_refused(server, kind):
    answer = server.client.post("/api/uploads", content=b"{}", headers={"content-type": kind})
    assert answer.status_code in (400, 415)
    packed = {
        "content-encoding": "gzip",
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    assert server.client.post("/api/uploads", content=b"x", headers=packed).status_code == 415


def test_a_small_file_of_hours_of_silence_is_cut_at_the_limit(start_server, tmp_path):
    """Ten minutes of silence are some kilobytes of FLAC: bytes alone limit no work."""
    server = start_server(upload_minutes=1.0)
    path = tmp_path / "silence.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(10):
            file.write(np.zeros(60 * 8000, np.float32))
    assert path.stat().st_size < 200_000
    with path.open("rb") as file:
        answer = server.client.post("/api/uploads", files={"file": ("silence.flac", file)}).json()
    assert answer == [
        {
            "name": "silence.flac",
            "error": "silence.flac: longer than 1 minutes; cut it into shorter ones.",
        }
    ]


def test_headers_that_promise_terabytes_cost_nothing(server, talk):
    sound = talk.read_bytes()[44:]
    wav = (
        b"RIFF"
        + struct.pack("<I", 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    )
    rf64 = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 1 << 60, 1 << 60, 1 << 59, 0)
    for name, data in (
        ("huge.wav", wav + b"data" + struct.pack("<I", 0xFFFFFFFF) + sound),
        ("huge.rf64", rf64 + wav[12:] + b"data\xff\xff\xff\xff" + sound),
        (
            "many.wav",
            wav[:22] + struct.pack("<H", 65_535) + wav[24:] + b"data\xff\xff\xff\xff" + sound,
        ),
        ("chunks.wav", wav + b"junk\0\0\0\0" * 50_000),
    ):
        answer = server.client.post("/api/uploads", files={"file": (name, data)}).json()
        seconds = answer[0].get("seconds", 0.0)
        assert "error" in answer[0] or seconds <= 1.6, name
    assert leftovers(server) == []


def test_jobs_keep_what_they_need(tmp_path, talk):
    """A link holds the sound where the upload is deleted; on the disk it counts once."""
    uploads = Uploads(tmp_path / "uploads", Limits())
    path = uploads.open_file()
    path.write_bytes(talk.read_bytes())
    from voxcycle.web.multipart import ReceivedFile

    upload = uploads.keep(ReceivedFile(path, "talk.wav"), "")
    assert uploads.link([upload.id], tmp_path / "job") == ["talk.wav"]
    linked = tmp_path / "job" / "0000.wav"
    assert os.path.samefile(linked, uploads.sound(upload))
    both = folder_bytes(tmp_path)
    uploads.delete(upload.id)
    assert linked.read_bytes() == talk.read_bytes()
    assert talk.stat().st_size <= folder_bytes(tmp_path) < both < 1.2 * talk.stat().st_size
