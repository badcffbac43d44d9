"""ministack as a process of its own: an emulator of AWS that runs the functions' own `bootstrap`, with IAM enforced.

https://ministack.org
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import urllib3

REGION = "eu-central-1"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30


class DidNotStart(Exception):
    """The process ended, or said nothing, before it was ready."""


class Emulator:
    """Running from the start of a `with` block to its end, on a free port of the loopback interface."""

    def __init__(self):
        self.port = free_port()
        # An address, not a name: S3's clients then put the bucket into the path instead of the host's name.
        self.url = f"https://127.0.0.1:{self.port}"
        self._directory = tempfile.TemporaryDirectory(prefix="deployment-")
        # Where ministack leaves the certificate that it makes; it needs `openssl` for that.
        self.certificate = Path(self._directory.name) / "ministack-tls/server.crt"
        self._log_path = Path(self._directory.name) / "log"

    def __enter__(self):
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **self.environment(),
                    # The policies that were deployed decide, for each function's role.
                    "AUTH": "true",
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(self.port),
                    "MINISTACK_REGION": REGION,
                    # The buckets refuse whoever comes without TLS.
                    "USE_SSL": "true",
                    # What the functions trust.
                    "SSL_CERT_FILE": str(self.certificate),
                    # IAM knows AWS's own policies, which SAM attaches.
                    "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
                    "TMPDIR": self._directory.name,
                },
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise DidNotStart(self.log())
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self._stop()
        self._directory.cleanup()

    def environment(self) -> dict[str, str]:
        """For tools that call the emulator as the account's owner."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return own | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(self.certificate),
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            verify=str(self.certificate),
        )

    def http(self, timeout: int) -> urllib3.PoolManager:
        """A client that trusts the emulator."""
        return urllib3.PoolManager(retries=False, timeout=timeout, ca_certs=str(self.certificate))

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def _is_ready(self) -> bool:
        try:
            return self.http(5).request("GET", f"{self.url}/_ministack/ready").status == 200
        except (urllib3.exceptions.HTTPError, FileNotFoundError):
            return False

    def _stop(self):
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
