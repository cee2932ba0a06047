"""`/api/voices`: listed, heard, added, renamed, deleted and exported."""

import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from voxcycle.web.fields import read_body, take_text
from voxcycle.web.routes_uploads import receive
from voxcycle.web.service import Service
from voxcycle.web.voices import EXPORT
from voxcycle.web.zips import stream_zip


def voice_routes(service: Service) -> list[Route]:
    """Return the routes of voices."""
    voices = service.voices

    def index(request: Request) -> Response:
        return JSONResponse(voices.all())

    def show(request: Request) -> Response:
        return JSONResponse(voices.show(request.path_params["id"]))

    async def create(request: Request) -> Response:
        files = await receive(request, service.uploads)
        try:
            return JSONResponse(await run_in_threadpool(voices.add, files[0].path), 201)
        finally:
            for file in files:
                file.path.unlink(missing_ok=True)

    async def rename(request: Request) -> Response:
        name = take_text(await read_body(request), "name")
        renamed = await run_in_threadpool(voices.rename, request.path_params["id"], name)
        return JSONResponse(renamed)

    def delete(request: Request) -> Response:
        voices.delete(request.path_params["id"])
        return JSONResponse({})

    def sample(request: Request) -> Response:
        path = voices.sample(request.path_params["id"])
        return FileResponse(path, media_type="audio/wav")

    def file(request: Request) -> Response:
        voice = voices.get(request.path_params["id"])
        kind = "application/octet-stream"
        return FileResponse(voice.path, media_type=kind, filename=f"{voice.name}.safetensors")

    def export(request: Request) -> Response:
        name = voices.get(request.path_params["id"]).name
        holder = tempfile.TemporaryDirectory(dir=voices.folder, prefix=EXPORT)
        try:
            out = voices.export(name, Path(holder.name))
        except BaseException:
            holder.cleanup()
            raise
        files = [(f"{out.name}/{path.name}", path) for path in sorted(out.iterdir())]
        return StreamingResponse(
            stream_zip(files),
            media_type="application/zip",
            headers={"content-disposition": 'attachment; filename="voice-onnx.zip"'},
            background=BackgroundTask(holder.cleanup),
        )

    return [
        Route("/api/voices", index, methods=["GET"]),
        Route("/api/voices", create, methods=["POST"]),
        Route("/api/voices/{id}", show, methods=["GET"]),
        Route("/api/voices/{id}", rename, methods=["PATCH"]),
        Route("/api/voices/{id}", delete, methods=["DELETE"]),
        Route("/api/voices/{id}/sample", sample, methods=["GET"]),
        Route("/api/voices/{id}/file", file, methods=["GET"]),
        Route("/api/voices/{id}/export", export, methods=["GET"]),
    ]
