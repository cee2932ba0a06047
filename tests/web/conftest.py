"""Real servers on this machine, and clients that know their secrets."""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from voxcycle.web.settings import Limits, Settings


class Running:
    """A server in a thread: its address, its service, and a client that may write."""

    def __init__(self, settings):
        from voxcycle.web.server import build_server, listen

        self.settings = settings
        bound = listen("127.0.0.1", 0)
        self.port = bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        ready = threading.Event()
        self._server = build_server(settings, on_ready=ready.set)
        self.service = self._server.service
        self._thread = threading.Thread(target=self._server.run, args=([bound],))
        self._thread.start()
        assert ready.wait(30)
        headers = {"x-csrf-token": settings.csrf}
        if settings.token:
            headers["authorization"] = f"Bearer {settings.token}"
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=120)

    def stop(self):
        self.client.close()
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def ask(self, path="/api/voices", method="GET", **headers):
        """Send one request with exactly this path and these headers; returns (status, body).

        None leaves Host out.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            named = {"host": f"127.0.0.1:{self.port}"}
            named |= {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in named.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read()

    def upload(self, *paths, set_name="convert"):
        """Send files; returns their ids."""
        with contextlib.ExitStack() as stack:
            files = [
                ("file", (Path(path).name, stack.enter_context(open(path, "rb")))) for path in paths
            ]
            answer = self.client.post(f"/api/uploads?set={set_name}", files=files)
        assert answer.status_code == 201, answer.text
        return [upload["id"] for upload in answer.json()]

    def add(self, **body):
        """Queue a job; returns it."""
        answer = self.client.post("/api/jobs", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def finish(self, job_id):
        """Wait for the end of a job; returns it."""
        for _ in range(20):
            job = self.client.get(f"/api/jobs/{job_id}?wait=30").json()
            if job["status"] in ("done", "failed", "stopped"):
                return job
        raise AssertionError(f"the job does not end: {job}")

    def wait_until(self, job_id, holds):
        """Look at a job until something holds of it; returns it."""
        for _ in range(1200):
            job = self.client.get(f"/api/jobs/{job_id}").json()
            if holds(job):
                return job
            assert job["status"] in ("queued", "running"), job
            time.sleep(0.05)
        raise AssertionError(f"it never holds: {job}")


class Process:
    """`voxcycle serve` as a process of its own; `lines` are what it has printed."""

    def __init__(self, *arguments, environment):
        command = [sys.executable, "-m", "voxcycle", "serve", "--no-browser", *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.pid = self._process.pid
        self.lines = [self._process.stdout.readline()]
        found = re.search(r"(https?://\S+)", self.lines[0])
        self.url = found[1] if found else ""

    @contextlib.contextmanager
    def open_client(self):
        """Give a client that may write."""
        with httpx.Client(base_url=self.url, timeout=120) as client:
            client.headers["x-csrf-token"] = client.get("/api/state").json()["csrf"]
            yield client

    def signal(self, number):
        """Send a signal and wait for the end; returns the exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self):
        """Wait for the end; returns the exit code."""
        self.lines += self._process.communicate(timeout=60)[0].splitlines()
        return self._process.returncode


@pytest.fixture
def start_process(tmp_path):
    """Start the command; `start_process("--port", 0)`."""
    started = []
    places = {"VOXCYCLE_DATA": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment = {**os.environ, **places}

    def start(*arguments):
        started.append(Process(*arguments, environment=environment))
        return started[-1]

    yield start
    for process in started:
        if process._process.poll() is None:
            process.signal(signal.SIGKILL)


@pytest.fixture
def run_async():
    """Run a coroutine in a thread of its own: Playwright's loop runs in this one."""

    def run(coroutine):
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, coroutine).result()

    return run


@pytest.fixture
def start_server(tmp_path, monkeypatch):
    """Start a server: `start_server(life_hours=1)` with limits, or with `settings=...` of it."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    running = []

    def start(settings=None, **limits):
        settings = {"folder": tmp_path / "served", "limits": Limits(**limits)} | (settings or {})
        running.append(Running(Settings(**settings)))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def server(start_server):
    """A server with the usual settings."""
    return start_server()


@pytest.fixture(scope="session")
def talk(tmp_path_factory, make_speech):
    """A second and a half of speech-like sound as wav."""
    import soundfile

    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, make_speech(1.5, 16_000), 16_000)
    return path


@pytest.fixture
def own_voice(server, voice_path):
    """The small test voice, in the library of the server; its name."""
    with voice_path.open("rb") as file:
        answer = server.client.post("/api/voices", files={"file": ("unit.safetensors", file)})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]
