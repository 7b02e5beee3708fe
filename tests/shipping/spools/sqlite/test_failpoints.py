"""The failpoints are at the right places, as seen by client and server."""

import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, failpoints
from sevendigital_async.sandbox import Faults

OF_LANES = {f"{side} {step}" for side in ("before", "after") for step in ("lease", "intent", "outcome", "bury")}
OF_THE_WIRE = {"headers sent", "body sent", "answer read"}


def plays(number):
    return [StreamLog(f"t{index}", datetime.now(UTC)) for index in range(number)]


def client_of(sandbox):
    key = sandbox.credentials
    return SevenDigital(key.consumer_key, key.consumer_secret, base_url=sandbox.base_url)


async def ship(client, logs):
    async with client, StreamLogShipper(client) as shipper:
        await shipper.put_many(LogKind.PREVIEW, logs)
        return await shipper.flush()


async def test_every_point_of_lanes_and_wire_is_reached(sevendigital_sandbox, monkeypatch):
    points = []
    monkeypatch.setattr(failpoints, "on_hit", points.append)
    sevendigital_sandbox.faults = Faults.parse(["poison:t1"])
    statistics = await ship(client_of(sevendigital_sandbox), plays(3))
    assert (statistics.delivered, statistics.buried) == (2, 1)
    assert set(points) >= OF_LANES | OF_THE_WIRE
    assert set(points) <= set(failpoints.POINTS)
    request = ["before intent", "after intent", "headers sent", "body sent", "answer read"]
    outcome = ["before outcome", "after outcome", "before bury", "after bury"]
    reached = [point for point in points if point in OF_LANES | OF_THE_WIRE]
    assert reached == ["before lease", "after lease", *request, *request, *outcome]


class Wire:
    """A server in a thread: it answers one request, and reports how much of it arrived while the client was blocked."""

    def __init__(self):
        self.arrived = b""
        self.moved = threading.Condition()

    def serve(self, listener):
        with listener.accept()[0] as connection:
            while b"]}" not in self.arrived:
                received = connection.recv(65536)
                with self.moved:
                    self.arrived += received
                    self.moved.notify_all()
                if not received:
                    return
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            connection.recv(1)

    def has(self, text, timeout):
        with self.moved:
            return self.moved.wait_for(lambda: text in self.arrived, timeout)

    @contextmanager
    def listening(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = threading.Thread(target=self.serve, args=(listener,))
            server.start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.join(5)
        assert not server.is_alive()


async def test_what_is_sent_at_a_point_has_left_the_process(monkeypatch):
    """The client blocks inside each failpoint, so that what arrives then was sent before."""
    wire, seen = Wire(), {}

    def look(point):
        if point == "headers sent":
            seen[point] = wire.has(b"\r\n\r\n", 5), wire.has(b"trackId", 0.05)
        elif point == "body sent":
            seen[point] = wire.has(b"trackId", 5), wire.has(b"]}", 5)
        else:
            seen.setdefault(point, wire.arrived != b"")

    monkeypatch.setattr(failpoints, "on_hit", look)
    with wire.listening() as base_url:
        statistics = await ship(SevenDigital("key", "secret", base_url=base_url), plays(3))
    assert statistics.delivered == 3
    assert seen["after intent"] is False
    assert seen["headers sent"] == (True, False)
    assert seen["body sent"] == (True, True)
    assert seen["answer read"] is seen["before outcome"] is True


async def test_a_point_that_raises_before_the_intent_is_kept_leaves_no_doubt(sevendigital_sandbox, monkeypatch):
    def die(point):
        if point == "before intent":
            raise ZeroDivisionError(point)

    monkeypatch.setattr(failpoints, "on_hit", die)
    async with client_of(sevendigital_sandbox) as client:
        shipper = StreamLogShipper(client)
        await shipper.__aenter__()
        await shipper.put_many(LogKind.PREVIEW, plays(500))
        statistics = await shipper.aclose()
    assert isinstance(statistics.failure, ZeroDivisionError)
    assert (statistics.waiting, statistics.in_doubt) == (500, 0)
    assert sevendigital_sandbox.received() == []
