"""Measurements over the API, and what a server without the extras says."""

import pytest

from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.web import service as module


@pytest.mark.slow
@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_a_measurement_gives_scores_and_a_page_of_its_own_origin(
    server, own_voice, write_clips, tmp_path
):
    write_clips(tmp_path / "clips", 2, 1.6)
    uploads = server.upload(*sorted((tmp_path / "clips").glob("*.wav")))
    body = {"kind": "evaluate", "voice": own_voice, "uploads": uploads, "sentences": 2}
    job = server.finish(server.add(**body)["id"])
    assert job["status"] == "done", job["message"]
    scores = job["result"]["scores"]
    assert 0 < scores["similarity_to_source"] <= 1 and 1 <= scores["naturalness"] <= 5
    assert "similarity" not in scores  # there are no references
    page = server.client.get(job["result"]["report"])
    assert own_voice in page.text and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;") and "allow-same-origin" not in policy
    assert "connect-src" not in policy and "default-src 'none'" in policy
    server.client.delete(f"/api/voices/{own_voice}")
    server.service.clear()
    assert server.client.get(job["result"]["report"]).status_code == 200  # it is kept


@pytest.mark.parametrize(
    "extra, body",
    [
        ("eval", {"kind": "evaluate", "voice": "heart"}),
        ("train", {"kind": "train", "name": "ben", "consent": "Yes."}),
    ],
)
def test_what_needs_an_extra_says_so(start_server, monkeypatch, talk, extra, body):
    monkeypatch.setitem(module.NEEDED, extra, ("no_such_package",))
    server = start_server()
    state = server.client.get("/api/state").json()
    kind = {"eval": "evaluate", "train": "train"}[extra]
    assert not state[f"can_{kind}"]
    sentence = state["missing"][kind]
    assert f"pip install 'voxcycle[{extra}]'" in sentence and "no_such_package" in sentence
    uploads = server.upload(talk)
    answer = server.client.post(
        "/api/jobs", json=body | {"uploads": uploads, "a": uploads, "b": []}
    )
    assert answer.status_code == 409 and answer.json() == {"error": sentence}
