"""The JSON that the API takes and gives, as schemas for its description."""

from typing import Any

Schema = dict[str, Any]


def refer(name: str) -> Schema:
    """Return a reference to a schema of `list_schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    text, number, whole = {"type": "string"}, {"type": "number"}, {"type": "integer"}
    maybe_number, maybe_text = {"type": ["number", "null"]}, {"type": ["string", "null"]}
    yes_no, texts = {"type": "boolean"}, {"type": "array", "items": text}
    anything = {"type": "object", "additionalProperties": True}
    card = {"name": text, "sex": text, "language": text, "licence": text, "consent": text}
    kinds = {
        "convert": _object(
            {
                "uploads": texts,
                "voice": text,
                "pitch": {
                    "anyOf": [
                        {"type": "number", "minimum": -24, "maximum": 24},
                        {"enum": ["auto", "keep", "sing", None]},
                    ],
                    "description": "semitones above the voice's own range; auto takes the range, "
                    "keep leaves the pitch, sing keeps all intervals",
                },
                "second_pass": maybe_number,
                "file_stats": yes_no,
                "vocoder": text,
                "format": {"enum": ["wav", "flac", "mp3"]},
            },
            ["uploads", "voice"],
        ),
        "clone": _object({"uploads": texts, **card}, ["uploads", "name", "consent"]),
        "report": _object({"a": texts, "b": texts}, []),
        "train": _object(
            {
                "a": texts,
                "b": texts,
                **card,
                "name_a": text,
                "sex_a": text,
                "minutes": number,
                "steps": whole,
            },
            ["a", "b", "name", "consent"],
        ),
        "evaluate": _object(
            {
                "voice": text,
                "uploads": texts,
                "references": texts,
                "language": text,
                "vocoder": text,
                "sentences": whole,
            },
            ["voice", "uploads"],
        ),
    }
    for kind, schema in kinds.items():
        schema["properties"]["kind"] = {"const": kind}
        schema["required"] = ["kind", *schema["required"]]
    return {
        "Error": _object({"error": text}, ["error"]),
        "State": _object(
            {
                "version": text,
                "csrf": text,
                "can_train": yes_no,
                "can_evaluate": yes_no,
                "missing": _object({"train": maybe_text, "evaluate": maybe_text}),
                "limits": _object(
                    {
                        "upload_bytes": whole,
                        "upload_minutes": number,
                        "quota_bytes": whole,
                        "life_hours": number,
                    }
                ),
                "used_bytes": whole,
                "vocoders": texts,
            }
        ),
        "Upload": _object(
            {
                "id": text,
                "name": text,
                "seconds": number,
                "sample_rate": whole,
                "bytes": whole,
                "set": text,
                "created": number,
                "error": text,
            },
            ["name"],
        ),
        "Voice": _object(
            {
                "id": text,
                "name": text,
                "title": text,
                "language": text,
                "sex": text,
                "licence": text,
                "source": text,
                "is_shipped": yes_no,
                "kind": {"enum": ["anyone", "pair"]},
                "scores": {
                    "type": ["object", "null"],
                    "properties": {"similarity": number, "wer": number, "naturalness": number},
                },
                "takes_second_pass": yes_no,
                "trained": maybe_text,
                "sample": text,
                "bytes": whole,
                "notes": texts,
                "card": anything,
            },
            ["id", "name"],
        ),
        "Rename": _object({"name": text}, ["name"]),
        "Move": _object({"before": maybe_text}, ["before"]),
        "NewJob": {"oneOf": [refer(f"New_{kind}") for kind in kinds]},
        **{f"New_{kind}": schema for kind, schema in kinds.items()},
        "Job": _object(
            {
                "id": text,
                "kind": text,
                "title": text,
                "status": {"enum": ["queued", "running", "done", "failed", "stopped"]},
                "progress": maybe_number,
                "seconds_left": maybe_number,
                "message": text,
                "created": number,
                "started": maybe_number,
                "finished": maybe_number,
                "options": anything,
                "can": texts,
                "result": {"type": ["object", "null"]},
            },
            ["id", "kind", "status"],
        ),
        "Picture": _object(
            {
                "seconds": number,
                "mel": _object({"frames": whole, "bands": whole, "data": text}),
                "f0_hz": {"type": "array", "items": number},
            }
        ),
    }


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    needed = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": needed}
