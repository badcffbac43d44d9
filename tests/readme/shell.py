"""Runs blocks of shell commands as they are pasted: one after the other into one shell, which keeps its variables."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

BLOCK_TIMEOUT_SECONDS = 900
STOP_TIMEOUT_SECONDS = 30
DONE = "-- the block is done --"


class BlockFailed(Exception):
    """A command failed, or took too long, or said something else than it should."""


class Shell:
    """A shell in which the first command that fails is the last. It ends with its `with` block."""

    def __init__(self, directory: Path, environment: dict[str, str]):
        self._temporary = tempfile.TemporaryDirectory(prefix="readme-")
        self._process = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self._process)
        self._temporary.cleanup()

    def run(self, text: str, answers: str = "") -> str:
        """Runs a block whose questions get these answers; what it wrote."""
        script, standard_input = (Path(self._temporary.name) / name for name in ("block", "answers"))
        script.write_text(text)
        standard_input.write_text(answers)
        # Only a file can be the standard input of the block and not that of the shell.
        self._process.stdin.write(f"source {script} < {standard_input}\necho; echo '{DONE}'\n")
        self._process.stdin.flush()
        watchdog = threading.Timer(BLOCK_TIMEOUT_SECONDS, end, [self._process])
        watchdog.start()
        try:
            written = ""
            for line in self._process.stdout:
                if line.strip() == DONE:
                    return written
                written += line
        finally:
            watchdog.cancel()
        raise BlockFailed(f"{text}\n\nwrote\n\n{written}")


class Server:
    """A block that runs until somebody stops it, from when it says that it is ready to the end of its `with` block."""

    def __init__(self, text: str, directory: Path, environment: dict[str, str], ready: str):
        self._log = tempfile.NamedTemporaryFile(prefix="readme-", suffix=".log")
        self._process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + BLOCK_TIMEOUT_SECONDS
        while ready not in self.log():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end(self._process)
                raise BlockFailed(f"{text}\n\nis not ready, but wrote\n\n{self.log()}")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self._process)
        self._log.close()

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")


def end(process: subprocess.Popen):
    """Ends a process with all that it has started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(STOP_TIMEOUT_SECONDS)
        except ProcessLookupError:
            process.wait()
            return
        except subprocess.TimeoutExpired:
            continue
