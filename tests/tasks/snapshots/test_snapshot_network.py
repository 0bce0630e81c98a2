"""A network that loses replies and a server that is busy, between us and the real S3 server."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.store import open_store

GONE = b"<Error><Code>NoSuchUpload</Code><Message>The upload does not exist.</Message></Error>"
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Troubled(BaseHTTPRequestHandler):
    """Forwards a request, or does as told: 'drop' it, 'lose' the reply, say 'busy' or 'gone'."""

    protocol_version = "HTTP/1.1"
    upstream: int
    trouble: Callable[[str, str, int], str | None]
    counts: Counter[str]
    lock = threading.Lock()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            self.counts[f"{self.command} {self.path}"] += 1
            count = self.counts[f"{self.command} {self.path}"]
        trouble = type(self).trouble(self.command, self.path, count)
        if trouble == "drop":
            self.close_connection = True
            return
        answers = {"busy": (503, [], BUSY), "gone": (404, [], GONE)}
        status, headers, reply = answers.get(trouble) or self._forward(body)
        if trouble == "lose":
            self.close_connection = True
            return
        self._answer(status, headers, reply)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream)
        headers = {name: value for name, value in self.headers.items() if name != "Expect"}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        reply = response.status, response.getheaders(), response.read()
        connection.close()
        return reply

    def _answer(self, status, headers, reply):
        self.send_response_only(status)
        length = str(len(reply))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *arguments) -> None:
        """Stay silent."""


@pytest.fixture
def troubled(s3_server, s3_sandbox):
    """Open the sandbox through a proxy that makes trouble."""
    servers = []

    def open_troubled(trouble):
        rules = {"upstream": s3_server.ports[0], "trouble": staticmethod(trouble)}
        handler = type("Handler", (Troubled,), {**rules, "counts": Counter()})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        endpoint = f"http://127.0.0.1:{server.server_port}"
        options = {**s3_sandbox.options, "endpoint_url": endpoint}
        return open_store(s3_sandbox.url, **options), handler.counts

    yield open_troubled
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_lost_reply_to_any_write_does_no_harm(troubled, s3_sandbox, make_shop):
    """A write that was done, retried and refused counts as done, once."""

    def lose_the_first_reply(method, path, count):
        return "lose" if method in ("PUT", "POST", "DELETE") and count == 1 else None

    store, counts = troubled(lose_the_first_reply)
    first = store.publish("run-1", make_shop(1), {})
    again = store.publish("run-2", make_shop(2), {})
    assert (first.generation, again.generation) == (1, 2)
    assert len([key for key, count in counts.items() if count > 1 and "PUT" in key]) > 8
    assert len(s3_sandbox.open().list()) == 2
    assert s3_sandbox.open().verify(again.snapshot_id) == []


def test_a_lost_reply_to_a_rollback_does_no_harm(troubled, make_shop):
    """The pointer is turned once."""
    store, _ = troubled(
        lambda method, path, count: "lose" if "latest" in path and count in (3, 4) else None
    )
    first = store.publish("run-1", make_shop(1), {})
    store.publish("run-2", make_shop(2), {})
    assert store.rollback(first.snapshot_id).generation == 3
    assert store.latest().generation == 3


def test_a_lost_reply_to_the_end_of_a_multipart_upload_does_no_harm(troubled, make_shop, tmp_path):
    """A server that does not know the upload any more has the object; its size says so."""
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * (40 << 20))

    def lose_completion(method, path, count):
        done = method == "POST" and "uploadId=" in path
        return {1: "lose", 2: "gone"}.get(count) if done else None

    store, counts = troubled(lose_completion)
    snapshot = store.publish("run-1", make_shop(), {}, {"big.bin": big})
    assert store.verify(snapshot.snapshot_id) == []
    assert max(count for key, count in counts.items() if "POST" in key) >= 2


def test_a_busy_server_is_waited_for(troubled, make_shop):
    """Every request is refused once before it is served."""
    store, _ = troubled(lambda method, path, count: "busy" if count == 1 else None)
    assert store.publish("run-1", make_shop(), {}).is_latest


def test_a_broken_reply_while_reading_is_read_again(troubled, make_shop):
    """Readers do not notice a dropped connection."""
    store, _ = troubled(
        lambda method, path, count: "lose" if method in ("GET", "HEAD") and count == 1 else None
    )
    published = store.publish("run-1", make_shop(), {})
    assert (store.latest(), store.verify(published.snapshot_id)) == (published, [])


def _publish_in_trouble(troubled, s3_sandbox, make_shop, children, runs):
    """Publish again and again while a third of all requests go wrong; return what was counted."""
    draw, made = random.Random(runs), Counter()  # noqa: S311

    def trouble(method, path, count):
        kind = draw.choices(["busy", "lose", "drop", None], [1, 1, 1, 6])[0]
        made[kind or "well"] += 1
        return kind

    store, _ = troubled(trouble)
    s3_sandbox.open().publish("run-first", make_shop(), {"mark": 1})
    reader, failed, began = children.poll(s3_sandbox), 0, time.monotonic()
    reader.until("ready")
    for number in range(runs):
        shop, facts = make_shop(number), {"mark": number}
        for _ in range(3):
            try:
                published = store.publish(f"run-{number}", shop, facts)
            except SandboxError:
                failed += 1  # clearly; the run is repeated
            else:
                break
        assert published.run_id == f"run-{number}"
        assert s3_sandbox.open().verify(published.snapshot_id) == []
    counts = {"runs": runs, "runs_repeated": failed, **made, **json.loads(reader.rest())}
    print("\ntrouble:", json.dumps({**counts, "seconds": round(time.monotonic() - began)}))
    assert len(s3_sandbox.open().list()) == runs + 1
    assert s3_sandbox.open().latest().run_id == f"run-{runs - 1}"
    for _ in range(2):
        s3_sandbox.open().gc(grace_hours=0)
    assert list(s3_sandbox.open().backend.objects("attempts/")) == []
    return counts


def test_random_trouble_tears_nothing(troubled, s3_sandbox, make_shop, children):
    """503, lost replies and dropped connections: every run ends in one whole snapshot."""
    counts = _publish_in_trouble(troubled, s3_sandbox, make_shop, children, runs=2)
    assert (counts["torn"], counts["refused"]) == ([], 0)


@pytest.mark.slow
def test_much_random_trouble_tears_nothing(troubled, s3_sandbox, make_shop, children):
    """The same for longer."""
    counts = _publish_in_trouble(troubled, s3_sandbox, make_shop, children, runs=25)
    assert (counts["torn"], counts["refused"]) == ([], 0)
    assert min(counts["busy"], counts["lose"], counts["drop"]) > 30
