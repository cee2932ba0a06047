"""A real server in a process of its own, and pages of it in Chromium with a microphone."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}
SERVE = """
import sys
from pathlib import Path
from voxcycle.web.server import build_server, listen
from voxcycle.web.settings import Settings
bound = listen("127.0.0.1", int(sys.argv[2]))
settings = Settings(Path(sys.argv[1]), takes_training_settings=True)
build_server(settings, on_ready=lambda: print(bound.getsockname()[1], flush=True)).run([bound])
"""


@dataclass
class Site:
    """The server's address, and calls of its API as a program makes them."""

    url: str
    csrf: str = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to one request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-CSRF-Token": self.csrf, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def read(self, path: str) -> bytes:
        """Return the bytes behind an address."""
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return response.read()


@contextlib.contextmanager
def run_site(root, port=0):
    """Run a server with a library, a cache and a folder of its own below a folder."""
    own = {"VOXCYCLE_DATA": str(root / "data"), "XDG_CACHE_HOME": str(root / "cache")}
    command = [sys.executable, "-c", SERVE, str(root / "serve"), str(port)]
    environment = {**os.environ, **own, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    site = Site(f"http://127.0.0.1:{int(server.stdout.readline())}")
    site.csrf = site.call("GET", "/api/state")["csrf"]
    yield site
    server.terminate()
    assert server.wait(60) in (0, -15)


@pytest.fixture(scope="session", name="run_site")
def site_runner():
    """Give `run_site`."""
    return run_site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The server of a module."""
    with run_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def spoken(tmp_path_factory, demo):
    """What the microphone hears, over and over: four seconds of speech at 48 kHz."""
    import soxr

    path = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    speech = soxr.resample(demo[: 4 * 22_050], 22_050, 48_000)
    soundfile.write(path, speech, 48_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def chromium(launch_chromium, spoken):
    """Chromium whose microphone plays a file, and which lets the page use it."""
    launched = launch_chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
    )
    yield launched
    launched.close()


@pytest.fixture
def open_page(chromium, site):
    """Open the page at a view, ready; afterwards no window has complained or asked elsewhere."""
    contexts, problems, hosts = [], [], set()

    def watch(request):
        hosts.add(urlsplit(request.url).netloc)

    def open_at(view, size="wide", **options):
        context = chromium.new_context(viewport=SIZES[size], **options)
        contexts.append(context)
        context.on("request", watch)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda m: problems.append(m.text) if m.type != "info" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{site.url}/#{view}")
        page.wait_for_selector("body[data-ready]")
        return page

    open_at.refusals = []  # what the server is to refuse: the browser logs each status
    yield open_at
    for context in contexts:
        context.close()
    for status in open_at.refusals:
        (refused,) = [words for words in problems if f"status of {status}" in words]
        problems.remove(refused)
    assert problems == []
    assert hosts == {urlsplit(site.url).netloc}


@pytest.fixture
def talk(tmp_path, demo):
    """A recording of three seconds."""
    path = tmp_path / "talk.wav"
    soundfile.write(path, demo[: 3 * 22_050], 22_050)
    return path


@pytest.fixture
def best_match():
    """Return how alike two sounds are at the best shift: the peak of their correlation."""

    def find(sound, reference):
        n = len(sound) + len(reference)
        product = np.fft.rfft(sound, n) * np.conj(np.fft.rfft(reference, n))
        return np.fft.irfft(product, n).max()

    return find
