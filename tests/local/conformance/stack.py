"""The local stack as a process of its own: started on free ports with a template of the suite's, stopped at the end.

`LOCAL` names the binary; by default it is the one that `cargo build -p local` leaves in `target/debug`.
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30


class DidNotStart(Exception):
    """The process ended, or said nothing, before it was ready."""


class LocalStack:
    """Running from the start of a `with` block to its end. Its state is kept in `data`, or nowhere."""

    def __init__(
        self,
        template: Path = HERE / "template.yaml",
        data: Path | None = None,
        arguments: Sequence[str] = (),
        **parameters: str,
    ):
        self._template = template
        self._arguments = [*arguments, *(f"--parameter={name}={value}" for name, value in parameters.items())]
        self._directory = tempfile.TemporaryDirectory(prefix="conformance-")
        self._data = data or Path(self._directory.name) / "data"
        self._log_path = Path(self._directory.name) / "log"
        self._ready = threading.Event()
        self._lines = []
        self.url = self.api_url = self.cdn_url = None

    def __enter__(self):
        binary = os.environ.get("LOCAL", REPOSITORY / "target/debug/local")
        # s3s reports each refusal as an error, and here most requests are to be refused.
        environment = {"RUST_LOG": "warn,dynoxide=error,s3s=off", **os.environ}
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [binary, "--template", self._template, "--port", "0", "--aws-port", "0", "--cdn-port", "0"]
                + ["--data-dir", self._data, *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        threading.Thread(target=self._read_announcement, daemon=True).start()
        self._ready.wait(START_TIMEOUT_SECONDS)
        if self.url is None:
            self._stop()
            raise DidNotStart(self.log())
        return self

    def __exit__(self, *_):
        self._stop()
        self._directory.cleanup()

    @property
    def process_id(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """What the process has said so far."""
        return "".join(self._lines) + self._log_path.read_text(errors="replace")

    def _read_announcement(self):
        for line in self._process.stdout:
            self._lines.append(line)
            name, _, rest = line.partition(" ")
            if name == "AWS":
                self.url = rest.split()[0]
            if name == "API":
                self.api_url = rest.strip()
            if name == "CDN":
                self.cdn_url = rest.strip()
            if line.startswith("Stop with"):
                break
        self._ready.set()
        for line in self._process.stdout:
            self._lines.append(line)

    def _stop(self):
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
