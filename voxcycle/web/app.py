"""`create_app`: the page, its files and the API as one ASGI application."""

import errno
import logging
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import voxcycle
from voxcycle.console import to_line
from voxcycle.files import data_dir
from voxcycle.web.openapi import describe_api
from voxcycle.web.routes_jobs import job_routes
from voxcycle.web.routes_results import result_routes
from voxcycle.web.routes_uploads import upload_routes
from voxcycle.web.routes_voices import voice_routes
from voxcycle.web.security import Security
from voxcycle.web.service import Service
from voxcycle.web.settings import Refusal
from voxcycle.web.wording import without_folders

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"
PHRASES = {404: "There is nothing at this address.", 405: "This address has no such method."}
FULL = "it is full; delete recordings or results"
log = logging.getLogger(__name__)


def create_app(service: Service) -> ASGIApp:
    """Return the application; the service begins and ends with the application's lifespan."""
    settings = service.settings
    pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, auto_reload=False)

    def page(request: Request) -> Response:
        html = pages.get_template("index.html.j2").render(
            version=voxcycle.__version__, csrf_token=settings.csrf
        )
        return HTMLResponse(html)

    def state(request: Request) -> Response:
        limits = settings.limits
        missing = {"train": service.missing("train"), "evaluate": service.missing("eval")}
        return JSONResponse(
            {
                "version": voxcycle.__version__,
                "csrf": settings.csrf,
                "can_train": missing["train"] is None,
                "can_evaluate": missing["evaluate"] is None,
                "missing": missing,
                "limits": {
                    "upload_bytes": limits.upload_bytes,
                    "upload_minutes": limits.upload_minutes,
                    "quota_bytes": limits.quota_bytes,
                    "life_hours": limits.life_hours,
                },
                "used_bytes": service.uploads.used_bytes(),
                "vocoders": service.vocoders(),
            }
        )

    def openapi(request: Request) -> Response:
        return JSONResponse(describe_api())

    def wrong(request: Request, error: Exception) -> Response:
        """Answer with what voxcycle says of its input, which is one sentence."""
        log.warning("%s", to_line(f"{request.method} {request.url.path}: {error}"))
        if isinstance(error, OSError) and error.strerror:
            sentence = FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
            return JSONResponse({"error": f"The server's disk: {sentence}."}, 507)
        sentence = without_folders(str(error), settings.folder, data_dir())
        return JSONResponse({"error": sentence}, 422)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await run_in_threadpool(service.close)

    mimetypes.add_type("text/javascript", ".js")  # Windows takes it from elsewhere
    routes = [
        Route("/", page, methods=["GET"]),
        Route("/api/state", state, methods=["GET"]),
        Route("/api/openapi.json", openapi, methods=["GET"]),
        *upload_routes(service),
        *voice_routes(service),
        *job_routes(service),
        *result_routes(service),
        Mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static"),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _failed,
            ValueError: wrong,
            OSError: wrong,
            ImportError: wrong,
            ClientDisconnect: _left,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    return Security(app, settings)  # around all, answers to errors included


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers = {"connection": "close"} if error.status in (408, 413, 507) else {}
    return JSONResponse({"error": error.sentence}, error.status, headers=headers)


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = PHRASES.get(error.status_code, str(error.detail))
    return JSONResponse({"error": sentence}, error.status_code, headers=error.headers)


def _left(request: Request, error: Exception) -> Response:
    """End a request whose client has gone; nobody reads the answer."""
    return Response(status_code=400)


def _broken(request: Request, error: Exception) -> Response:
    """Answer without a trace; the terminal has it."""
    sentence = "Something went wrong; the server's terminal shows what."
    return JSONResponse({"error": sentence}, 500)
