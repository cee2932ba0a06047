"""The command as a process: its address, its end, its memory, and what it never imports."""

import contextlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from voxcycle.web.server import listen

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@posix
def test_it_says_where_it_is_and_ends_with_ctrl_c(start_process, tmp_path):
    process = start_process("--port", 0)
    assert re.fullmatch(
        r"the page is at http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)\n", process.lines[0]
    )
    with process.open_client() as client:
        assert "voxcycle" in client.get("/").text
    assert (tmp_path / "data/serve/jobs.sqlite").exists()
    assert process.signal(signal.SIGINT) == 0
    assert process.lines[1:] == ["stopped"]


def test_a_taken_port_gives_the_next_one(start_process):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_process("--port", port)
    chosen = int(re.search(r":(\d+)/", process.url)[1])
    assert port < chosen < port + 50


def test_two_servers_do_not_share_a_folder(start_process):
    first = start_process("--port", 0)
    second = start_process("--port", 0)
    assert second.wait() == 2
    assert "another voxcycle serve works in this folder" in second.lines[0]
    with first.open_client() as client:
        assert client.get("/api/jobs").json() == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--host", "203.0.113.7"), "cannot be listened on"),
        (("--tls", "no-such.pem", "no-such.key"), "no such file"),
        (("--tls", __file__, __file__), "no certificate with its key"),
        (("--folder", __file__), "expected a folder, found a file"),
        (("--device", "abacus"), "known are"),
    ],
)
def test_what_cannot_be_is_one_sentence(start_process, arguments, words):
    process = start_process("--port", 0, *arguments)
    assert process.wait() == 2
    (line,) = [line for line in process.lines if line.strip()]
    assert line.startswith("error: ") and words in line


def test_a_network_gets_a_token_and_tls(start_process, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    try:
        subprocess.run([*command.split(), *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    process = start_process("--port", 0, "--host", "0.0.0.0", "--tls", certificate, key)
    address, _, token = process.url.partition("?token=")
    assert address.startswith("https://127.0.0.1:") and len(token) >= 32
    process.url = address
    import httpx

    trust = ssl.create_default_context(cafile=certificate)
    with httpx.Client(base_url=address, verify=trust) as client:
        assert client.get("/api/state").status_code == 401
        opened = client.get(f"/?token={token}")
        assert opened.status_code == 303 and "; Secure" in opened.headers["set-cookie"]
        assert client.get("/api/state").status_code == 200  # by the cookie
        origin = {
            "origin": address.rstrip("/"),
            "x-csrf-token": client.get("/api/state").json()["csrf"],
        }
        assert client.post("/api/jobs", json={}, headers=origin).status_code == 400
        origin["origin"] = origin["origin"].replace("https", "http")
        assert client.post("/api/jobs", json={}, headers=origin).status_code == 403


@linux
def test_fifty_clients_at_once_are_served_in_order_in_flat_memory_without_pytorch(
    start_process, talk, make_speech, tmp_path
):
    """Fifty conversions at once would hold fifty recordings, mels and waveforms."""
    process = start_process("--port", 0, "--threads", 1)
    with process.open_client() as client:

        def convert(added, lock, vocoder="fast"):
            with talk.open("rb") as file:
                upload = client.post("/api/uploads", files={"file": ("talk.wav", file)}).json()[0]
            body = {"kind": "convert", "uploads": [upload["id"]], "voice": "heart"}
            with lock:
                job = client.post("/api/jobs", json=body | {"vocoder": vocoder}).json()
                added.append(job["id"])
            while job["status"] in ("queued", "running"):
                job = client.get(f"/api/jobs/{job['id']}?wait=60").json()
            assert job["status"] == "done"

        def round_of(n_clients):
            added, lock = [], threading.Lock()
            threads = [
                threading.Thread(target=convert, args=(added, lock)) for _ in range(n_clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(300)
            return added

        def resident_mb():
            status = Path(f"/proc/{process.pid}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0]) / 1024

        round_of(10)  # loads and warms what stays
        before_mb = resident_mb()
        added = round_of(50)
        jobs = {job["id"]: job for job in client.get("/api/jobs").json()}
        assert [job_id for job_id in jobs if job_id in added] == added  # the newest last
        assert len(added) == 50 and resident_mb() - before_mb < 30
        assert client.get("/api/voices/heart/sample").status_code == 200
        before_mb = resident_mb()
        place = ("127.0.0.1", int(re.search(r":(\d+)/", process.url)[1]))
        wanted = b"GET /api/voices/heart/file HTTP/1.1\r\nhost: localhost\r\n\r\n"
        with contextlib.ExitStack() as stack:  # clients that ask for much and read nothing
            for _ in range(40):
                stack.enter_context(socket.create_connection(place)).sendall(wanted)
            assert client.get("/api/voices/heart").status_code == 200
            assert resident_mb() - before_mb < 30  # the files have 200
        assert client.get(f"/api/jobs/{added[0]}/items/0/picture").status_code == 200
        for vocoder in client.get("/api/state").json()["vocoders"]:
            convert([], threading.Lock(), vocoder)
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert "onnxruntime" in mapped and "torch" not in mapped and "tensorboard" not in mapped


def test_without_the_extra_it_says_what_to_install():
    code = "import sys; sys.modules['starlette'] = None; from voxcycle.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "serve"], capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        "needs the extra [web], whose package starlette" in done.stderr
        and "'voxcycle[web]'" in done.stderr
    )


def test_two_servers_that_begin_together_get_two_ports():
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    with contextlib.closing(first), contextlib.closing(listen("127.0.0.1", port)) as second:
        assert port < second.getsockname()[1] < port + 50


@posix
def test_a_client_that_leaves_half_way_leaves_no_trace_in_the_terminal(start_process):
    process = start_process("--port", 0)
    with process.open_client() as client:
        head = {"x-csrf-token": client.headers["x-csrf-token"], "content-length": "1000"}
        head["content-type"] = "multipart/form-data; boundary=x"
        lines = [f"{name}: {value}" for name, value in head.items()]
        host = process.url.split("/")[2]
        with socket.create_connection((host.split(":")[0], int(host.split(":")[1]))) as leaving:
            request = ["POST /api/uploads HTTP/1.1", f"host: {host}", *lines, "", "--x"]
            leaving.sendall("\r\n".join(request).encode())
            assert client.get("/api/uploads").json() == []
    assert process.signal(signal.SIGINT) == 0
    assert process.lines[1:] == ["stopped"]
