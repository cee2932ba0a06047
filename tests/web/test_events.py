"""Server-sent events: all windows see the same, slow ones the latest, and they end."""

import asyncio
import json
import threading

from voxcycle.web.events import Events


def test_a_slow_reader_gets_the_latest_of_each_job_alone(run_async):
    async def read():
        events = Events()
        events.open()
        stream = events.stream()
        assert (await anext(stream)).startswith("retry")
        subscriber = next(iter(events._subscribers))
        for n in range(10_000):
            events.publish("jobs", {"n": n}, key=f"job {n % 3}")
        await asyncio.sleep(0)
        while events._loop._ready:
            await asyncio.sleep(0)
        n_held = len(subscriber.pending)
        got = [await anext(stream) for _ in range(3)]
        events.close()
        rest = [text async for text in stream]
        return n_held, got, rest, len(events._subscribers)

    n_held, got, rest, n_left = run_async(read())
    values = sorted(json.loads(text.partition("data: ")[2])["n"] for text in got)
    assert (n_held, values) == (3, [9997, 9998, 9999])
    assert rest in ([], [": still here\n\n"]) and n_left == 0


def test_two_windows_see_the_same_and_both_end_with_the_server(start_server):
    server = start_server()
    seen, begun = [[], []], threading.Barrier(3)

    def watch(window):
        with server.client.stream("GET", "/api/events", timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines).startswith("retry")
            begun.wait(20)
            for line in lines:
                seen[window].append(line)

    threads = [threading.Thread(target=watch, args=(window,)) for window in range(2)]
    for thread in threads:
        thread.start()
    begun.wait(20)
    server.service.events.publish("voices", {"n": 1})
    for _ in range(200):
        if all("event: voices" in lines for lines in seen):
            break
        threading.Event().wait(0.05)
    server._server.should_exit = True
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert seen[0] == seen[1]
    assert [line for line in seen[0] if line.startswith(("event", "data"))] == [
        "event: voices",
        'data: {"n": 1}',
    ]
