"""The folder of uploads: its quota, its life span, and what a killed server left in it."""

import json

import numpy as np
import pytest
import soundfile

from voxcycle.web.settings import Limits, Refusal
from voxcycle.web.uploads import Uploads, new_id


def test_the_folder_has_a_quota_that_results_share(start_server, talk):
    size = talk.stat().st_size
    server = start_server(quota_bytes=3 * size)
    (first,) = server.upload(talk)
    job = {"kind": "report", "a": [first], "b": []}  # whose link takes no room
    assert server.client.post("/api/jobs", json=job).status_code == 201
    assert size < server.client.get("/api/state").json()["used_bytes"] < 2 * size
    with talk.open("rb") as file:
        files = [("file", (f"{n}.wav", file.read())) for n in range(3) if not file.seek(0)]
    answer = server.client.post("/api/uploads", files=files)
    assert answer.status_code == 507 and "full" in answer.json()["error"]
    assert list((server.service.uploads.folder / "incoming").iterdir()) == []


def test_what_arrives_at_the_same_time_shares_the_quota(tmp_path):
    uploads = Uploads(tmp_path / "uploads", Limits(quota_bytes=1000))
    one, other = uploads.begin(), uploads.begin()
    one.check(600)
    first = uploads.open_file()
    first.write_bytes(b"x" * 600)
    with pytest.raises(Refusal):
        other.check(600)
    first.unlink()
    other.check(600)  # there is room again


def test_what_is_kept_meanwhile_counts_for_a_request_under_way(start_server, talk):
    """Many slow requests that begin together fill the folder no further than its quota."""
    size = talk.stat().st_size
    server = start_server(quota_bytes=round(2.5 * size))
    slow = server.service.uploads.begin()
    server.upload(talk, talk)
    with pytest.raises(Refusal) as refused:
        slow.check(size)
    assert refused.value.status == 507


def test_uploads_have_a_life_span(start_server, talk):
    server = start_server(life_hours=1.0)
    old, new = server.upload(talk, talk)
    meta = server.service.uploads.folder / old / "upload.json"
    stored = json.loads(meta.read_text())
    meta.write_text(json.dumps(stored | {"created": stored["created"] - 3700}))
    server.service.clear()
    assert [each["id"] for each in server.client.get("/api/uploads").json()] == [new]


def test_hearing_a_small_file_of_long_silence_needs_room(start_server, tmp_path):
    """Ten minutes of silence are some kilobytes of FLAC, and 9.6 MB as the browser plays them."""
    server = start_server(quota_bytes=5_000_000)
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(600 * 8000, np.float32), 8000)
    (upload,) = server.upload(path)
    answer = server.client.get(f"/api/uploads/{upload}/audio")
    assert answer.status_code == 507 and "full" in answer.json()["error"]
    assert not list(server.service.uploads.folder.rglob("played.wav"))


def test_an_upload_that_was_deleted_half_way_goes_at_the_start(tmp_path, talk):
    left = tmp_path / "uploads" / new_id()
    left.mkdir(parents=True)
    (left / "sound.wav").write_bytes(talk.read_bytes())
    assert Uploads(tmp_path / "uploads", Limits()).used_bytes() == 0
