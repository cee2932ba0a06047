"""The description of the API as OpenAPI 3.1, for programs that read it."""

import voxcycle
from voxcycle.web.openapi_schemas import Schema, list_schemas, refer

JSON = "application/json"
ABOUT = (
    "The API of `voxcycle serve`. Every POST, PATCH and DELETE needs the header X-CSRF-Token, "
    "whose value /api/state gives. A server on a network (--host) also needs its token, as "
    "`Authorization: Bearer`. Errors are {error: one sentence}."
)


def describe_api() -> Schema:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voxcycle",
            "version": voxcycle.__version__,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {path: _describe_path(path, methods) for path, methods in _paths().items()},
        "components": {
            "schemas": list_schemas(),
            "securitySchemes": {
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"token": []}],
    }


def _describe_path(path: str, methods: dict[str, Schema]) -> Schema:
    """Return a path's methods, with its parameters and the answer to errors."""
    words = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    numbers = {"type": "integer", "minimum": 0}
    parameters = [
        {
            "name": word,
            "in": "path",
            "required": True,
            "schema": numbers if word == "n" else {"type": "string"},
        }
        for word in words
    ]
    described: Schema = {"parameters": parameters} if parameters else {}
    for method, operation in methods.items():
        name = "".join(c if c.isalnum() else "_" for c in f"{method}{path}").strip("_")
        more: Schema = {} if method == "get" else {"security": [{"csrf": []}]}
        error = {"description": "What is wrong, in one sentence.", "content": _json("Error")}
        responses = operation["responses"] | {"default": error}
        described[method] = {"operationId": name, **operation, **more, "responses": responses}
    return described


def _paths() -> dict[str, dict[str, Schema]]:
    one = "/api/jobs/{id}"
    item, clip = one + "/items/{n}", one + "/clips/{side}/{n}"
    sound, picture = _file("The sound.", "audio/wav"), _value("The picture.", "Picture")
    return {
        "/api/state": {"get": _does("What this server can do.", _value("State.", "State"))},
        "/api/openapi.json": {"get": _does("This description.", _file("OpenAPI.", JSON))},
        "/api/uploads": {
            "get": _does("List the recordings.", _list("Recordings.", "Upload")),
            "post": _does(
                "Send recordings, one or more parts named file.",
                _list("Each one, or why it cannot be read.", "Upload", "201"),
                body=_form(),
                query={"set": {"type": "string", "maxLength": 60}},
            ),
        },
        "/api/uploads/{id}": {"delete": _does("Delete a recording.", _empty())},
        "/api/uploads/{id}/audio": {"get": _does("Hear a recording.", sound)},
        "/api/uploads/{id}/picture": {"get": _does("Mel spectrogram and F0.", picture)},
        "/api/voices": {
            "get": _does("List the voices.", _list("Voices.", "Voice")),
            "post": _does("Add a voice file.", _value("The voice.", "Voice", "201"), body=_form()),
        },
        "/api/voices/{id}": {
            "get": _does("Show a voice with its card.", _value("The voice.", "Voice")),
            "patch": _does(
                "Rename a voice of your own.", _value("The voice.", "Voice"), body=_json("Rename")
            ),
            "delete": _does("Delete a voice of your own.", _empty()),
        },
        "/api/voices/{id}/sample": {"get": _does("Hear a sample of a voice.", sound)},
        "/api/voices/{id}/file": {
            "get": _does("Download a voice.", _file("The file.", "application/octet-stream"))
        },
        "/api/voices/{id}/export": {
            "get": _does("Download ONNX graphs.", _file("An archive.", "application/zip"))
        },
        "/api/jobs": {
            "get": _does("List the jobs: running, waiting, done.", _list("Jobs.", "Job")),
            "post": _does("Queue a job.", _value("The job.", "Job", "201"), body=_json("NewJob")),
        },
        one: {
            "get": _does(
                "Show a job; with wait, when it is done or so many seconds have passed.",
                _value("The job.", "Job"),
                query={"wait": {"type": "number", "minimum": 0, "maximum": 60}},
            ),
            "delete": _does("Delete a job and its results.", _empty()),
        },
        **{
            f"{one}/{action}": {"post": _does(sentence, _value("The job.", "Job"))}
            for action, sentence in (
                ("cancel", "Stop a job, or take it from the queue."),
                ("resume", "Let a stopped or failed job go on."),
                ("use", "Make a voice of a training as it is now; returns the job that does it."),
            )
        },
        f"{one}/move": {
            "post": _does("Move a waiting job.", _value("The job.", "Job"), body=_json("Move"))
        },
        f"{one}/zip": {
            "get": _does("All conversions of a job.", _file("An archive.", "application/zip"))
        },
        f"{item}/audio": {"get": _does("Hear a conversion.", sound)},
        f"{item}/download": {"get": _does("Download a conversion.", sound)},
        f"{item}/source": {"get": _does("Its source, as loud as the conversion.", sound)},
        f"{item}/picture": {"get": _does("Mel and F0 of a conversion.", picture)},
        f"{item}/source-picture": {"get": _does("Mel and F0 of its source.", picture)},
        f"{clip}/audio": {"get": _does("Hear a clip that a report kept.", sound)},
        f"{clip}/picture": {"get": _does("Mel and F0 of a clip.", picture)},
        one + "/clips/{side}/chart": {
            "get": _does("Chart of a report.", _file("A picture.", "image/png"))
        },
        one + "/stages/{name}": {"get": _does("Hear a validation of a training.", sound)},
        f"{one}/report": {"get": _does("Report of a measurement.", _file("A page.", "text/html"))},
        "/api/events": {
            "get": _does(
                "Changes as server-sent events: jobs, voices, uploads.",
                _file("A stream without end.", "text/event-stream"),
            )
        },
    }


def _does(
    summary: str,
    responses: Schema,
    *,
    body: Schema | None = None,
    query: dict[str, Schema] | None = None,
) -> Schema:
    operation: Schema = {"summary": summary, "responses": responses}
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    if query:
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": schema} for name, schema in query.items()
        ]
    return operation


def _json(name: str) -> Schema:
    return {JSON: {"schema": refer(name)}}


def _form() -> Schema:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    files = {"type": "array", "items": file}
    schema = {"type": "object", "properties": {"file": files}, "required": ["file"]}
    return {"multipart/form-data": {"schema": schema}}


def _value(description: str, name: str, status: str = "200") -> Schema:
    return {status: {"description": description, "content": _json(name)}}


def _list(description: str, name: str, status: str = "200") -> Schema:
    schema = {"type": "array", "items": refer(name)}
    return {status: {"description": description, "content": {JSON: {"schema": schema}}}}


def _file(description: str, kind: str) -> Schema:
    return {"200": {"description": description, "content": {kind: {}}}}


def _empty() -> Schema:
    return {"200": {"description": "Done.", "content": {JSON: {"schema": {"type": "object"}}}}}
