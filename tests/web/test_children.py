"""Work in processes of its own: made, stopped, killed, and gone with the server."""

import io
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxcycle
from voxcycle.voices.library import list_voices
from voxcycle.web.kinds import Failed
from voxcycle.web.training import add_trained

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
TINY = {
    **{"width": 16, "n_blocks": 1, "spectrum_width": 8, "discriminator_widths": [8, 8]},
    **{"n_frames": 32, "batch_size": 1, "max_masked_frames": 8},
    **{"separates_pitch": False, "from_scratch": True, "threads": 1, "checkpoint_every": 5},
}


@pytest.fixture(scope="module")
def speakers(tmp_path_factory, write_clips):
    """Folders of two speakers, six clips of ten seconds each."""
    folder = tmp_path_factory.mktemp("speakers")
    for name, f0_hz in (("anna", 200.0), ("ben", 110.0)):
        write_clips(folder / name, 6, 10.5, f0_hz)
    return folder


def send(server, folder):
    return server.upload(*sorted(folder.glob("*.wav")), set_name=folder.name)


def find_children(job_id):
    """Return the processes that work for a job."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "voxcycle.web.work" in words and any(job_id in word for word in words):
            found.append(int(place.parent.name))
    return found


def wait_for(holds, what):
    for _ in range(1200):
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(what)


def test_a_clone_is_a_voice_that_converts(server, speakers, talk):
    uploads = send(server, speakers / "ben")[:2]
    body = {"kind": "clone", "uploads": uploads, "name": "like ben", "sex": "man"}
    refused = server.client.post("/api/jobs", json=body | {"consent": " "})
    assert refused.status_code == 400 and "agreed" in refused.json()["error"]
    job = server.finish(server.add(**body, consent="Ben agreed.")["id"])
    assert job["status"] == "done" and job["result"] == {"voice": "like ben", "notes": []}
    (voice,) = [voice for voice in list_voices() if voice.origin == "own"]
    card = voxcycle.load_voice(voice.path).card
    assert (card.name, card.sex, card.consent) == ("like ben", "man", "Ben agreed.")
    assert card.training["minutes_of_speech"] == {"like ben": pytest.approx(21 / 60, abs=0.03)}
    answer = server.client.post("/api/jobs", json=body | {"consent": "Yes."})
    assert answer.status_code == 409 and "is there already" in answer.json()["error"]
    converted = server.add(
        kind="convert", uploads=server.upload(talk), voice="like ben", vocoder="griffin-lim"
    )
    assert server.finish(converted["id"])["status"] == "done"


def test_a_clone_of_too_little_says_so_by_the_names_that_were_sent(server, talk, tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * 16_000)
    soundfile.write(tmp_path / "street.wav", noise, 16_000)
    uploads = server.upload(talk, tmp_path / "street.wav")
    job = server.add(kind="clone", uploads=uploads, name="little", consent="Yes.")
    done = server.finish(job["id"])
    assert done["status"] == "failed"
    words = "no clip is usable; talk.wav: noisy: less than 15 dB between loud and soft; street.wav"
    assert done["message"].startswith(f"The recordings: {words}")
    assert {voice.origin for voice in list_voices()} == {"shipped"}


def test_a_report_says_what_is_kept_and_what_is_not(server, speakers, tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * 16_000)
    soundfile.write(tmp_path / "street.wav", noise, 16_000)
    anna = [*send(server, speakers / "anna"), *server.upload(tmp_path / "street.wav")]
    job = server.finish(server.add(kind="report", a=anna, b=[])["id"])
    side = job["result"]["sides"]["a"]
    assert job["status"] == "done" and list(job["result"]["sides"]) == ["a"]
    assert {clip["name"] for clip in side["kept"]} == {f"{n}.wav" for n in range(6)}
    assert {clip["name"] for clip in side["dropped"]} == {"street.wav"}
    assert side["minutes_kept"] == pytest.approx(
        sum(c["seconds"] for c in side["kept"]) / 60, abs=0.01
    )
    assert side["minutes"] == pytest.approx((6 * 10.5 + 5) / 60, abs=0.01)
    for url in (side["kept"][0]["audio"], side["pictures"][0], side["chart"]):
        assert server.client.get(url).status_code == 200
    for wrong in ("a/99/audio", "b/0/audio", "../0/audio", "b/chart", "../chart"):
        assert server.ask(f"/api/jobs/{job['id']}/clips/{wrong}")[0] == 404


def train(server, speakers, **more):
    body = {
        "kind": "train",
        "a": send(server, speakers / "anna"),
        "b": send(server, speakers / "ben"),
        "name": "ben",
        "consent": "Both agreed.",
        "settings": TINY | {"samples": 0},
    }
    return server.add(**body | more)["id"]


def test_a_training_is_heard_and_seen_while_it_runs(start_server, speakers):
    server = start_server({"takes_training_settings": True})
    job_id = train(server, speakers, steps=4000, settings=TINY | {"samples": 40})
    running = server.wait_until(
        job_id, lambda job: job["result"] and any(s["audio"] for s in job["result"]["stages"])
    )
    assert running["can"] == ["cancel", "use"] and running["result"]["n_steps"] == 4000
    assert running["message"].endswith(" of 4,000") and running["seconds_left"] > 0
    points = running["result"]["losses"]
    assert {"step", "generator/cycle_a", "discriminator/d_b"} <= points[-1].keys()
    (stage, *_) = running["result"]["stages"]
    assert stage["step"] == 100 and stage["metrics"]["cycle_a"] > 0
    assert [url.rpartition("/")[2] for url in stage["audio"]] == [
        "100-a-to-b.wav",
        "100-b-to-a.wav",
    ]
    for url in stage["audio"]:
        sound, rate = soundfile.read(io.BytesIO(server.client.get(url).content))
        assert rate == 22_050 and 0 < len(sound) <= 4.1 * rate
    place = f"/api/jobs/{job_id}/stages"
    for wrong in ("..%2f..%2ftask.json", "%2e%2e/task.json", "100-a-to-c.wav"):
        assert server.ask(f"{place}/{wrong}")[0] == 404
    (child,) = find_children(job_id)
    os.kill(child, signal.SIGKILL)
    killed = server.finish(job_id)
    assert killed["status"] == "failed" and "SIGKILL" in killed["message"]
    assert killed["can"] == ["resume", "use", "delete"]
    assert server.client.delete(f"/api/jobs/{job_id}").status_code == 200
    assert not server.service.queue.folder.joinpath(job_id).exists()


@pytest.mark.slow
def test_a_training_is_used_stops_and_goes_on_under_another_server(start_server, speakers):
    server = start_server({"takes_training_settings": True})
    job_id = train(server, speakers, steps=4000)
    server.wait_until(job_id, lambda job: "use" in job["can"])
    use = server.client.post(f"/api/jobs/{job_id}/use").json()
    used = server.finish(use["id"])
    assert used["status"] == "done" and used["result"]["voice"] == "ben", used["message"]
    first = voxcycle.load_voice("ben").card
    assert first.training["steps"] == used["result"]["step"] >= 5
    assert first.consent == "Both agreed."
    assert server.client.get(f"/api/jobs/{job_id}").json()["status"] == "running"
    server.client.post(f"/api/jobs/{job_id}/cancel")
    stopped = server.finish(job_id)
    assert stopped["status"] == "stopped" and stopped["can"] == ["resume", "use", "delete"]
    assert find_children(job_id) == []
    server.stop()
    server = start_server({"takes_training_settings": True})
    again = server.client.get(f"/api/jobs/{job_id}").json()
    assert (again["can"], again["result"]) == (stopped["can"], stopped["result"])
    # A few steps more; at its end its own voice is replaced.
    last = stopped["result"]["losses"][-1]["step"]
    server.service.queue.get(job_id).result["n_steps"] = n_steps = last + 40
    assert server.client.post(f"/api/jobs/{job_id}/resume").json()["status"] == "queued"
    done = server.finish(job_id)
    assert done["status"] == "done" and done["result"]["voice"] == "ben", done["message"]
    steps = [point["step"] for point in done["result"]["losses"]]
    assert steps == sorted(set(steps)) and steps[-1] == n_steps
    assert voxcycle.load_voice("ben").card.training["steps"] == n_steps
    assert [voice.name for voice in list_voices() if voice.origin == "own"] == ["ben"]
    assert done["can"] == ["delete"]


def test_a_killed_child_fails_its_job_alone(server, speakers, talk):
    uploads = send(server, speakers / "ben")[:2]
    job_id = server.add(kind="clone", uploads=uploads, name="ben", consent="Yes.")["id"]
    later = server.add(
        kind="convert", uploads=server.upload(talk), voice="heart", vocoder="griffin-lim"
    )
    (child,) = wait_for(lambda: find_children(job_id), "there is no child")
    os.kill(child, signal.SIGKILL)
    killed = server.finish(job_id)
    assert killed["status"] == "failed" and "SIGKILL" in killed["message"]
    assert killed["can"] == ["resume", "delete"]
    assert server.finish(later["id"])["status"] == "done"
    server.client.post(f"/api/jobs/{job_id}/resume")
    assert server.finish(job_id)["result"]["voice"] == "ben"


def test_a_voice_of_that_name_that_came_meanwhile_stays(tmp_path, monkeypatch, make_voice):
    """The name is free when a training begins, and may be taken when it ends."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    options = {"settings": {"name_b": "ben", "name_a": "ben-source"}, "keeps_a": False}
    made, result = [tmp_path / "ben.safetensors", tmp_path / "ben-source.safetensors"], {}
    for path in made:
        make_voice(name=path.stem).save(path)
    add_trained(tmp_path, options, made, result)
    assert result == {"voice": "ben", "voices": ["ben"]}
    make_voice(name="ben", hears=True).save(made[0])  # the training has gone on
    add_trained(tmp_path, options, made, result)
    assert voxcycle.load_voice("ben").path.read_bytes() == made[0].read_bytes()
    make_voice(name="ben", is_any_to_one=False).save(tmp_path / "other" / "ben.safetensors")
    other = (tmp_path / "other" / "ben.safetensors").read_bytes()
    voxcycle.load_voice("ben").path.write_bytes(other)
    with pytest.raises(Failed, match="rename it"):
        add_trained(tmp_path, options, made, result)
    assert voxcycle.load_voice("ben").path.read_bytes() == other


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_the_server_and_a_training_waits(
    start_process, speakers, number, tmp_path
):
    process = start_process("--port", 0)
    with process.open_client() as client:

        def send_all(name):
            files = [
                ("file", (path.name, path.read_bytes()))
                for path in sorted((speakers / name).glob("*.wav"))
            ]
            answer = client.post("/api/uploads", files=files).json()
            return [upload["id"] for upload in answer]

        body = {"kind": "train", "a": send_all("anna"), "b": send_all("ben"), "name": "ben"}
        assert client.post("/api/jobs", json=body | {"settings": TINY}).status_code == 400
        job_id = client.post("/api/jobs", json=body | {"consent": "Yes.", "steps": 9}).json()["id"]
        wait_for(lambda: find_children(job_id), "there is no child")
        time.sleep(2)  # into its work
    assert process.signal(number) in (0, -number)
    wait_for(lambda: not find_children(job_id), "the child outlives its server")
    again = start_process("--port", 0)
    with again.open_client() as client:
        (job,) = client.get("/api/jobs").json()
        assert (job["id"], job["status"]) == (job_id, "stopped")
        assert "resume" in job["can"] and "go on" in job["message"]
