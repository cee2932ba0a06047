"""The description of the API, and the programs that use it."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from starlette.routing import Mount, Route

import voxcycle
from voxcycle.web.openapi import describe_api

DOCS = Path(__file__).parents[2] / "docs/serve.md"


def test_the_description_is_valid_and_the_server_gives_it(server):
    validate = pytest.importorskip("openapi_spec_validator").validate
    document = server.client.get("/api/openapi.json").json()
    validate(document)
    assert document == describe_api() and document["info"]["version"] == voxcycle.__version__


def test_it_describes_every_route_and_no_other(server):
    from voxcycle.web.app import create_app

    found = set()
    for route in create_app(server.service).app.routes:
        assert isinstance(route, Route | Mount)
        if isinstance(route, Route) and route.path.startswith("/api"):
            path = route.path.replace(":int}", "}")
            found |= {(path, method.lower()) for method in route.methods - {"HEAD"}}
    described = {
        (path, method)
        for path, methods in describe_api()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert found == described


def matches(value, schema, schemas):
    """Return whether a value fits a schema of the few kinds that the description uses."""
    if "$ref" in schema:
        return matches(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "enum" in schema:
        return value in schema["enum"]
    kinds = schema.get("type", "object")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    types = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
    types |= {"null": type(None), "object": dict, "array": list}
    if not any(isinstance(value, types[kind]) for kind in kinds):
        return False
    if isinstance(value, list):
        return all(matches(each, schema["items"], schemas) for each in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        needed = set(schema.get("required", []))
        is_open = not known or "additionalProperties" in schema
        return needed <= value.keys() and all(
            matches(each, known[key], schemas) if key in known else is_open
            for key, each in value.items()
        )
    return True


def test_answers_are_as_described(server, own_voice, talk):
    document = describe_api()
    (upload,) = server.upload(talk)
    body = {"kind": "convert", "uploads": [upload], "voice": own_voice, "vocoder": "griffin-lim"}
    job = server.finish(server.add(**body)["id"])
    places = {
        "/api/state": "/api/state",
        "/api/uploads": "/api/uploads",
        "/api/uploads/{id}/picture": f"/api/uploads/{upload}/picture",
        "/api/voices": "/api/voices",
        "/api/voices/{id}": "/api/voices/heart",
        "/api/jobs": "/api/jobs",
        "/api/jobs/{id}": f"/api/jobs/{job['id']}",
    }
    for described, path in places.items():
        content = document["paths"][described]["get"]["responses"]["200"]["content"]
        schema, schemas = content["application/json"]["schema"], document["components"]["schemas"]
        assert matches(server.client.get(path).json(), schema, schemas), path
    assert not matches({"id": 1}, {"$ref": "#/components/schemas/Voice"}, schemas)


def test_the_example_of_ten_lines_converts(start_process, talk, tmp_path, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in example.splitlines() if line and not line.startswith("import")]
    assert len(lines) == 10
    process = start_process("--port", 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(talk.read_bytes())
    exec(compile(example.replace("http://127.0.0.1:7860", process.url), str(DOCS), "exec"), {})
    converted, rate = soundfile.read("talk.heart.wav", dtype="float32")
    assert (len(converted), rate) == (24_000, 16_000)
    assert np.abs(converted - voxcycle.convert(talk, "heart").waveform).max() < 1e-3
