"""`/api/uploads`: recordings come in, are heard, drawn and deleted."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voxcycle.web.multipart import ReceivedFile, receive_files
from voxcycle.web.service import Service
from voxcycle.web.settings import Refusal
from voxcycle.web.uploads import SET, Uploads, write_json


async def receive(request: Request, uploads: Uploads) -> list[ReceivedFile]:
    """Write the files of a request to the disk; Refusal where a limit or the quota is passed."""
    arrival = await run_in_threadpool(uploads.begin)
    return await receive_files(
        request,
        uploads.open_file,
        announce=arrival.announce,
        check=arrival.check,
        patience_s=uploads.limits.patience_s,
    )


def upload_routes(service: Service) -> list[Route]:
    """Return the routes of uploads."""
    uploads = service.uploads

    async def create(request: Request) -> Response:
        set_name = request.query_params.get("set", "")
        if set_name and not SET.fullmatch(set_name):
            raise Refusal("set: letters, digits, spaces and . _ - are possible, at most 60.")
        files = await receive(request, uploads)
        return JSONResponse(await run_in_threadpool(keep, files, set_name), 201)

    def keep(files: list[Any], set_name: str) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for file in files:
            try:
                results.append(uploads.keep(file, set_name).describe())
            except Refusal as refusal:
                results.append({"name": file.name, "error": refusal.sentence})
        return results

    def index(request: Request) -> Response:
        return JSONResponse([upload.describe() for upload in uploads.all()])

    def audio(request: Request) -> Response:
        from voxcycle.web.sounds import PLAYED_RATE, SAMPLE_BYTES, write_playable

        upload = uploads.get(request.path_params["id"])
        played = uploads.folder / upload.id / "played.wav"
        if not played.exists():
            rate = min(PLAYED_RATE, upload.sample_rate)
            uploads.require_room(round(SAMPLE_BYTES * rate * upload.seconds))
            write_playable(uploads.sound(upload), played)
        return FileResponse(played, media_type="audio/wav")

    def picture(request: Request) -> Response:
        upload = uploads.get(request.path_params["id"])
        return send_picture(uploads.sound(upload), uploads.folder / upload.id / "picture.json")

    def delete(request: Request) -> Response:
        uploads.delete(request.path_params["id"])
        return JSONResponse({})

    return [
        Route("/api/uploads", create, methods=["POST"]),
        Route("/api/uploads", index, methods=["GET"]),
        Route("/api/uploads/{id}", delete, methods=["DELETE"]),
        Route("/api/uploads/{id}/audio", audio, methods=["GET"]),
        Route("/api/uploads/{id}/picture", picture, methods=["GET"]),
    ]


def send_picture(sound: Any, kept: Any) -> Response:
    """Return what `pictures.draw` gives of a sound, made when it is first asked for."""
    from voxcycle.web.pictures import draw

    if not kept.exists():
        write_json(kept, draw(sound))
    return JSONResponse(json.loads(kept.read_text("utf-8")))
