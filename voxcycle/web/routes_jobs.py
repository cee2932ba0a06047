"""`/api/jobs`: work is queued, watched, stopped, and its results are fetched."""

import time
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from voxcycle.web.converting import OUTPUTS, SOURCES, download_name
from voxcycle.web.fields import read_body
from voxcycle.web.jobs import Job
from voxcycle.web.routes_uploads import send_picture
from voxcycle.web.service import Service
from voxcycle.web.settings import Refusal
from voxcycle.web.zips import stream_zip, unlike_each_other

MAX_WAIT_S = 60.0
MEDIA = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}


def job_routes(service: Service) -> list[Route]:
    """Return the routes of jobs."""
    queue = service.queue

    def shown(job: Job, status: int = 200) -> Response:
        return JSONResponse(queue.describe(job), status)

    async def create(request: Request) -> Response:
        body = await read_body(request)
        return shown(await run_in_threadpool(queue.add, body), 201)

    def index(request: Request) -> Response:
        return JSONResponse([queue.describe(job) for job in queue.all()])

    async def show(request: Request) -> Response:
        """Answer at once, or with `wait` when the job is finished, or after so many seconds."""
        job = queue.get(request.path_params["id"])
        try:
            wait_s = min(float(request.query_params.get("wait", "0")), MAX_WAIT_S)
        except ValueError:
            raise Refusal("wait: a number of seconds is needed.") from None
        ends = time.monotonic() + wait_s
        subscriber = service.events.subscribe()
        try:
            while not job.is_finished and not service.events.is_closed:
                left_s = ends - time.monotonic()
                if not left_s > 0:
                    break
                await subscriber.take(left_s)
        finally:
            service.events.leave(subscriber)
        return shown(job)

    def cancel(request: Request) -> Response:
        return shown(queue.stop(request.path_params["id"]))

    def resume(request: Request) -> Response:
        return shown(queue.resume(request.path_params["id"]))

    def use(request: Request) -> Response:
        return shown(queue.use(request.path_params["id"]))

    async def move(request: Request) -> Response:
        body = await read_body(request)
        job_id, before = request.path_params["id"], body.get("before")
        return shown(await run_in_threadpool(queue.move, job_id, before))

    def delete(request: Request) -> Response:
        queue.delete(request.path_params["id"])
        return JSONResponse({})

    def find_item(request: Request) -> tuple[Job, int, dict[str, Any]]:
        job = queue.get(request.path_params["id"])
        n, items = request.path_params["n"], job.result.get("items", [])
        if not 0 <= n < len(items) or items[n]["error"]:
            raise Refusal("There is no such result.", 404)
        return job, n, items[n]

    def output(job: Job, n: int) -> Path:
        return queue.result_file(job.id, OUTPUTS, f"{n:04}.{job.options['format']}")

    def audio(request: Request) -> Response:
        job, n, _ = find_item(request)
        return FileResponse(output(job, n), media_type=MEDIA[job.options["format"]])

    def download(request: Request) -> Response:
        job, n, item = find_item(request)
        name = download_name(item["name"], job.options["voice"], job.options["format"])
        return FileResponse(output(job, n), media_type=MEDIA[job.options["format"]], filename=name)

    def original(job: Job, n: int) -> Path:
        (path,) = queue.result_file(job.id, SOURCES).glob(f"{n:04}*")
        return path

    def source(request: Request) -> Response:
        from voxcycle.web.sounds import PLAYED_RATE, SAMPLE_BYTES, write_playable

        job, n, item = find_item(request)
        played = queue.result_file(job.id, f"source-{n:04}.wav")
        if not played.exists():
            service.uploads.require_room(round(SAMPLE_BYTES * PLAYED_RATE * item["seconds"]))
            write_playable(original(job, n), played, as_loud_as=output(job, n))
        return FileResponse(played, media_type="audio/wav")

    def picture(request: Request) -> Response:
        job, n, _ = find_item(request)
        return send_picture(output(job, n), queue.result_file(job.id, f"picture-{n:04}.json"))

    def source_picture(request: Request) -> Response:
        job, n, _ = find_item(request)
        kept = queue.result_file(job.id, f"source-picture-{n:04}.json")
        return send_picture(original(job, n), kept)

    def archive(request: Request) -> Response:
        job = queue.get(request.path_params["id"])
        items = job.result.get("items", [])
        made = [n for n, item in enumerate(items) if not item["error"]]
        if not made:
            raise Refusal("There is nothing to download yet.", 404)
        voice, extension = job.options["voice"], job.options["format"]
        names = unlike_each_other(download_name(items[n]["name"], voice, extension) for n in made)
        files = zip(names, [output(job, n) for n in made], strict=True)
        headers = {"content-disposition": 'attachment; filename="voxcycle.zip"'}
        return StreamingResponse(stream_zip(files), media_type="application/zip", headers=headers)

    async def events(request: Request) -> Response:
        stream = service.events.stream()
        return StreamingResponse(stream, media_type="text/event-stream")

    one = "/api/jobs/{id}"
    item = one + "/items/{n:int}"
    return [
        Route("/api/jobs", create, methods=["POST"]),
        Route("/api/jobs", index, methods=["GET"]),
        Route(one, show, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/resume", resume, methods=["POST"]),
        Route(f"{one}/use", use, methods=["POST"]),
        Route(f"{one}/move", move, methods=["POST"]),
        Route(f"{one}/zip", archive, methods=["GET"]),
        Route(f"{item}/audio", audio, methods=["GET"]),
        Route(f"{item}/source", source, methods=["GET"]),
        Route(f"{item}/picture", picture, methods=["GET"]),
        Route(f"{item}/source-picture", source_picture, methods=["GET"]),
        Route(f"{item}/download", download, methods=["GET"]),
        Route("/api/events", events, methods=["GET"]),
    ]
