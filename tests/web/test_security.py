"""What another website, another machine or a forged header can reach: nothing."""

import contextlib
import json
import socket
import time

import pytest

from voxcycle.web.security import Security, is_loopback
from voxcycle.web.settings import Settings


def test_only_names_of_this_machine_are_answered(server):
    for host in (
        "127.0.0.1",
        "localhost",
        "LOCALHOST:99",
        "[::1]:7860",
        "127.8.8.8",
        f"127.0.0.1:{server.port}",
    ):
        assert server.ask(host=host)[0] == 200, host
    for host in (
        *(
            "evil.example",
            f"evil.example:{server.port}",
            "127.0.0.1.evil.example",
            "localhost.evil",
        ),
        *(
            "127.0.0.1@evil.example",
            "127.0.0.1:80:90",
            "0.0.0.0",
            "169.254.169.254",
            "",
            "local host",
        ),
    ):
        assert server.ask(host=host)[0] in (400, 421), host
    assert server.ask(host=None)[0] in (400, 421)


def test_a_rebound_name_cannot_even_read_the_page(server):
    """After DNS rebinding a foreign site is of one origin with its own name, not with ours."""
    name = f"evil.example:{server.port}"
    status, body = server.ask("/", host=name, origin=f"http://{name}")
    assert status == 421 and b"csrf" not in body
    assert server.settings.csrf.encode() in server.ask("/")[1]


def test_other_origins_are_refused_for_reads_and_writes(server):
    own = f"http://127.0.0.1:{server.port}"
    token = server.settings.csrf
    write = {"method": "POST", "path": "/api/jobs", "x_csrf_token": token, "content_length": "0"}
    assert server.ask(origin=own)[0] == 200
    assert server.ask(origin=own, **write)[0] == 400  # the job is empty, but it is heard
    for origin in (
        *("http://evil.example", "null", "https://127.0.0.1", f"https://127.0.0.1:{server.port}"),
        *(f"http://localhost:{server.port}", f"http://127.0.0.1:{server.port + 1}", "file://"),
    ):
        assert server.ask(origin=origin)[0] == 403, origin
        assert server.ask(origin=origin, **write)[0] == 403, origin


def test_other_sites_cannot_embed_but_may_link(server):
    """An image of another site sends no Origin; browsers say where it comes from all the same."""
    foreign = {"sec_fetch_site": "cross-site"}
    assert server.ask(sec_fetch_mode="no-cors", **foreign)[0] == 403
    assert server.ask(sec_fetch_mode="cors", sec_fetch_site="same-site")[0] == 403
    assert server.ask("/", sec_fetch_mode="navigate", **foreign)[0] == 200
    assert server.ask("/api/jobs", sec_fetch_mode="navigate", **foreign)[0] == 403
    token = server.settings.csrf
    post = {"method": "POST", "x_csrf_token": token, "content_length": "0"}
    assert server.ask("/api/jobs", sec_fetch_mode="navigate", **foreign, **post)[0] == 403
    assert server.ask(sec_fetch_mode="cors", sec_fetch_site="same-origin")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_every_write_needs_the_csrf_token(server, method):
    for value in (None, "", "wrong", server.settings.csrf[:-1], server.settings.csrf + "x"):
        status, body = server.ask(method=method, x_csrf_token=value, content_length="0")
        assert status == 403 and b"load it again" in body
    right = server.ask("/api/uploads/x", method=method, x_csrf_token=server.settings.csrf)
    assert right[0] in (404, 405)


def test_answers_carry_the_headers_that_protect(server):
    for path in ("/", "/api/voices", "/nothing", "/static/nothing.js", "/api/uploads/x/audio"):
        headers = server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in headers and "access-control-allow-origin" not in headers
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]


@pytest.mark.parametrize("line", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000])
def test_a_head_without_an_end_is_cut(server, line):
    n_bytes = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
        with contextlib.suppress(ConnectionError):
            while n_bytes < 50_000_000:
                opened.sendall(line)
                n_bytes += len(line)
    assert n_bytes < 10_000_000  # what fits into the buffers of the system
    assert server.ask()[0] == 200


def test_a_head_that_never_comes_is_given_up(start_server, monkeypatch):
    from voxcycle.web import server as module

    monkeypatch.setattr(module, "HEADER_S", 0.5)
    server = start_server()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        with contextlib.suppress(ConnectionError):
            for letter in b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: " + b"y" * 200:
                slow.sendall(bytes([letter]))
                time.sleep(0.02)
            pytest.fail("a client may hold a connection as long as it likes")


def test_a_server_on_a_network_needs_its_token(start_server):
    server = start_server({"token": "secret-of-the-start", "hosts": frozenset({"studio.local"})})
    for host in ("192.168.1.7:7860", "studio.local", "[fe80::1]", "localhost"):
        assert server.ask(host=host)[0] == 401
        assert server.ask("/", host=host)[0] == 401
        assert server.ask(host=host, authorization="Bearer secret-of-the-start")[0] == 200
    bearer = {"authorization": "Bearer secret-of-the-start"}
    assert server.ask(host="evil.example", **bearer)[0] == 421
    for wrong in ("Bearer", "Bearer ", "Bearer secret", "Basic secret-of-the-start", "bearer é"):
        assert server.ask(authorization=wrong.encode("latin-1"))[0] == 401
    # Without its token a program could write where it knew the CSRF token.
    post = {"method": "POST", "x_csrf_token": server.settings.csrf, "content_length": "0"}
    assert server.ask("/api/jobs", **post)[0] == 401


def test_the_printed_address_gives_a_cookie_that_pages_cannot_read(start_server):
    server = start_server({"token": "secret-of-the-start"})
    assert server.ask("/?token=wrong")[0] == 401
    assert server.ask("/api/voices?token=secret-of-the-start")[0] == 401
    answer = server.client.get(
        "/?token=secret-of-the-start", headers={"authorization": ""}, follow_redirects=False
    )
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite" in cookie and "Secure" not in cookie
    held = cookie.partition(";")[0]
    assert server.ask(cookie=held)[0] == 200
    assert server.ask(cookie=f"other=1; {held}")[0] == 200
    for wrong in (held[:-1], "voxcycle-token=", "voxcycle-token", 'a="\\'):
        assert server.ask(cookie=wrong)[0] == 401


def test_a_server_without_network_takes_no_token_for_another_host(server):
    assert server.ask("/?token=", host="192.168.1.7")[0] == 421


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}, "passed"),
        ({"host": "127.0.0.1:7860"}, "passed"),  # a program
        ({"host": "127.0.0.1:7860", "origin": "http://evil.example"}, 4403),
        ({"host": "evil.example", "origin": "http://evil.example"}, 4403),
        ({"host": "127.0.0.1:7860", "origin": "null"}, 4403),
    ],
)
def test_websockets_are_checked_like_requests(run_async, tmp_path, headers, expected):
    """Browsers let any page open a WebSocket anywhere: Host and Origin are all that protects."""
    seen = []

    async def inner(scope, receive, send):
        seen.append("passed")

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        seen.append(message["code"])

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "scheme": "ws", "path": "/api/live", "headers": raw}
    run_async(Security(inner, Settings(folder=tmp_path))(scope, receive, send))
    assert seen == [expected]


def test_loopback_addresses_are_known():
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.2", "evil.example", "")))


def test_errors_are_one_sentence_without_a_trace(server, monkeypatch):
    def fail():
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(server.service.voices, "all", fail)
    answer = server.client.get("/api/voices")
    assert answer.status_code == 500
    assert json.loads(answer.text) == {
        "error": "Something went wrong; the server's terminal shows what."
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.ask("/api/state")[0] == 200  # it goes on
    for path in ("/nothing", "/api/nothing", "/api/jobs/x/nothing"):
        assert server.client.get(path).json() == {"error": "There is nothing at this address."}
    assert server.client.put("/api/voices").status_code == 405
