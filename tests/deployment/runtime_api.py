"""Starts a `bootstrap` under a Runtime API, hands it one event, and takes the time.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TIMEOUT_SECONDS = 60
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


@dataclass
class ColdStart:
    """From the start of the process to its first request for an event, and from there to the answer."""

    init_ms: float
    invoke_ms: float
    answer: dict


@dataclass
class Exchange:
    """One event, and what became of it."""

    event: bytes
    asked: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    asked_at: float = 0.0
    answered_at: float = 0.0
    answer: dict = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    """The first request for an event gets it; further ones wait until the process is ended."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        exchange = self.server.exchange
        if exchange.asked.is_set():
            exchange.answered.wait(TIMEOUT_SECONDS)
            return
        exchange.asked_at = time.monotonic()
        exchange.asked.set()
        self.reply(
            200,
            exchange.event,
            {
                "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000000:function:measured",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            },
        )

    def do_POST(self):
        exchange = self.server.exchange
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange.answered_at = time.monotonic()
        exchange.answer = json.loads(body)
        exchange.answered.set()
        self.reply(202, b"")

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def cold_start(bootstrap: Path, environment: dict[str, str], event: dict) -> ColdStart:
    """Starts the process with this environment and nothing else, and ends it after its first answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.exchange = exchange = Exchange(json.dumps(event).encode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    begun = time.monotonic()
    process = subprocess.Popen(
        [bootstrap],
        env=environment | {"AWS_LAMBDA_RUNTIME_API": address, "_HANDLER": "bootstrap"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert exchange.answered.wait(TIMEOUT_SECONDS), f"{bootstrap} does not answer"
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
    return ColdStart(
        init_ms=(exchange.asked_at - begun) * 1000,
        invoke_ms=(exchange.answered_at - exchange.asked_at) * 1000,
        answer=exchange.answer,
    )
