"""`/api/jobs/ID/...`: clips and charts of reports, sounds of trainings, pages of measurements."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from voxcycle.web.measuring import REPORT
from voxcycle.web.reporting import CHART, SIDES
from voxcycle.web.routes_uploads import send_picture
from voxcycle.web.security import REPORT_CSP
from voxcycle.web.service import Service
from voxcycle.web.settings import Refusal
from voxcycle.web.training import STAGES


def result_routes(service: Service) -> list[Route]:
    """Return the routes of results that are files."""
    queue = service.queue

    def require(path: Path) -> Path:
        if not path.is_file():
            raise Refusal("There is no such result.", 404)
        return path

    def find_clip(request: Request) -> tuple[Path, Path]:
        """Return a kept clip of a report, and where its picture is kept."""
        job, side = queue.get(request.path_params["id"]), request.path_params["side"]
        kept = job.result.get("sides", {}).get(side, {}).get("kept", [])
        n = request.path_params["n"]
        if n >= len(kept):
            raise Refusal("There is no such result.", 404)
        folder = queue.result_file(job.id, f"clips-{side}")
        return require(folder / kept[n]["file"]), folder / f"picture-{n}.json"

    def clip(request: Request) -> Response:
        from voxcycle.web.sounds import write_playable

        path, _ = find_clip(request)
        played = path.with_suffix(".played.wav")
        if not played.exists():
            write_playable(path, played)
        return FileResponse(played, media_type="audio/wav")

    def clip_picture(request: Request) -> Response:
        return send_picture(*find_clip(request))

    def chart(request: Request) -> Response:
        job, side = queue.get(request.path_params["id"]), request.path_params["side"]
        if side not in SIDES:
            raise Refusal("There is no such result.", 404)
        path = require(queue.result_file(job.id, f"clips-{side}", CHART))
        return FileResponse(path, media_type="image/png")

    def stage(request: Request) -> Response:
        job, name = queue.get(request.path_params["id"]), request.path_params["name"]
        known = {name for stage in job.result.get("stages", []) for name in stage["audio"]}
        if name not in known:
            raise Refusal("There is no such result.", 404)
        path = require(queue.result_file(job.id, STAGES, name))
        return FileResponse(path, media_type="audio/wav")

    def report(request: Request) -> Response:
        job = queue.get(request.path_params["id"])
        path = require(queue.result_file(job.id, *REPORT))
        headers = {"content-security-policy": REPORT_CSP}
        return FileResponse(path, media_type="text/html", headers=headers)

    one = "/api/jobs/{id}"
    clips = one + "/clips/{side}"
    return [
        Route(clips + "/{n:int}/audio", clip, methods=["GET"]),
        Route(clips + "/{n:int}/picture", clip_picture, methods=["GET"]),
        Route(clips + "/chart", chart, methods=["GET"]),
        Route(one + "/stages/{name}", stage, methods=["GET"]),
        Route(one + "/report", report, methods=["GET"]),
    ]
