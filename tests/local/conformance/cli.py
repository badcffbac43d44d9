#!/usr/bin/env python3
"""The AWS CLI against the local stack: 200 MB up and down by multipart, with the stack's memory below 150 MB.

    cli.py STACK AWS

STACK is the binary of the package `local` (`target/debug/local`), AWS the CLI (PyPI `awscli`). The stack is started
on free ports with a data directory of its own, and killed and started again between the parts of an upload, which has to
go on afterwards. Everything is kept in a temporary directory and compared byte for byte. Needs Linux (`/proc`).

`aws s3 cp` declares a checksum algorithm when an upload begins (CRC32 unless told otherwise), sends the checksum behind
each part, and names them all at the end; parts go up and ranges come down in parallel.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

FILE_BYTES = 200 * 1000 * 1000
PEAK_BYTES = 150 * 1000 * 1000
START_SECONDS = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Stack:
    """The local stack as a process."""

    def __init__(self, binary, directory):
        self.binary, self.directory = binary, directory
        self.port = free_port()
        self.peaks = []
        self.start()

    def start(self):
        command = [self.binary, "--port", str(free_port()), "--aws-port", str(self.port)]
        log_path = self.directory / f"stack-{len(self.peaks)}.log"
        with open(log_path, "w") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", self.directory / "data"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while "Stop with Ctrl-C." not in log_path.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the stack does not start:\n{log_path.read_text()}")
            time.sleep(0.05)

    def kill(self, how=signal.SIGKILL):
        """Ends the process; its peak memory is remembered."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        self.peaks.append(int(peak) * 1024)
        self.process.send_signal(how)
        self.process.wait()


class Aws:
    """The AWS CLI."""

    def __init__(self, binary, directory, port):
        self.command = [binary, "--endpoint-url", f"http://127.0.0.1:{port}", "--region", "us-east-1"]
        self.config = directory / "config"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local-secret",
            "AWS_CONFIG_FILE": str(self.config),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def has_crt(self):
        """Whether the AWS CLI can compute CRC64NVME."""
        python = pathlib.Path(self.command[0]).parent / "python"
        return subprocess.run([python, "-c", "import awscrt"], capture_output=True).returncode == 0

    def configure(self, text):
        self.config.write_text(f"[default]\n{text}")

    def run(self, *arguments):
        command = [*self.command, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"aws {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def api(self, operation, *arguments):
        answer = self.run("s3api", operation, *arguments)
        return json.loads(answer) if answer else {}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path, size_bytes, seed):
    generator = random.Random(seed)
    with open(path, "wb") as file:
        while size_bytes:
            file.write(generator.randbytes(min(size_bytes, 1 << 20)))
            size_bytes -= min(size_bytes, 1 << 20)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def up_and_down(aws, directory, bucket, options):
    source, back = directory / "source", directory / "back"
    url = f"s3://{bucket}/cli/a file"
    aws.run("s3", "cp", "--only-show-errors", *options, source, url)
    head = aws.api("head-object", "--bucket", bucket, "--key", "cli/a file", "--checksum-mode", "ENABLED")
    check(head["ContentLength"] == FILE_BYTES, f"length of {head}")
    check(head["ETag"].endswith('-24"'), f"24 parts of 8 MiB, not {head['ETag']}")
    aws.run("s3", "cp", "--only-show-errors", url, back)
    check(digest(source) == digest(back), "what comes back is what was sent")
    back.unlink()
    return {name: value for name, value in head.items() if name.startswith("Checksum")}


def copy_list_and_remove(aws, directory, bucket):
    # A copy above the CLI's threshold goes by UploadPartCopy.
    aws.run("s3", "cp", "--only-show-errors", f"s3://{bucket}/cli/a file", f"s3://{bucket}/cli/copy")
    listed = aws.run("s3", "ls", "--recursive", f"s3://{bucket}/cli/")
    check(listed.count(str(FILE_BYTES)) == 2, f"both objects are listed: {listed}")
    folder = directory / "folder"
    folder.mkdir()
    aws.run("s3", "sync", "--only-show-errors", f"s3://{bucket}/cli", folder)
    check(digest(folder / "copy") == digest(directory / "source"), "a copy has the same bytes")
    check(aws.run("s3", "sync", f"s3://{bucket}/cli", folder) == "", "a second sync has nothing to do")
    aws.run("s3", "rm", "--only-show-errors", "--recursive", f"s3://{bucket}/cli")
    left = aws.api("list-objects-v2", "--bucket", bucket, "--prefix", "cli/")
    check("Contents" not in left, f"all is removed: {left}")


def go_on_after_a_kill(aws, stack, directory, bucket):
    target = ["--bucket", bucket, "--key", "cli/killed"]
    upload = aws.api("create-multipart-upload", *target, "--checksum-algorithm", "CRC32")
    target += ["--upload-id", upload["UploadId"]]
    parts = []
    for number, size_bytes in [(1, 5 << 20), (2, 1000)]:
        path = directory / f"part-{number}"
        write_file(path, size_bytes, number)
        part = aws.api("upload-part", *target, "--part-number", str(number), "--body", path)
        checksums = {name: value for name, value in part.items() if name in ("ETag", "ChecksumCRC32")}
        parts.append({"PartNumber": number, **checksums})
        stack.kill()
        stack.start()
    listed = aws.api("list-parts", *target)["Parts"]
    e_tags = [part["ETag"] for part in listed]
    check(e_tags == [part["ETag"] for part in parts], f"parts outlive a kill: {listed}")
    aws.api("complete-multipart-upload", *target, "--multipart-upload", json.dumps({"Parts": parts}))
    stack.kill()
    stack.start()
    aws.run("s3", "cp", "--only-show-errors", f"s3://{bucket}/cli/killed", directory / "back")
    whole = b"".join((directory / f"part-{number}").read_bytes() for number in (1, 2))
    check((directory / "back").read_bytes() == whole, "a completed upload outlives a kill")
    aws.run("s3", "rm", "--only-show-errors", f"s3://{bucket}/cli/killed")


def main():
    stack_binary, aws_binary = (pathlib.Path(argument).absolute() for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as cleanup:
        directory = pathlib.Path(temporary)
        write_file(directory / "source", FILE_BYTES, 0)
        stack = Stack(stack_binary, directory)
        cleanup.callback(lambda: stack.process.poll() is None and stack.process.kill())
        aws = Aws(aws_binary, directory, stack.port)
        aws.configure("")
        buckets = [line.split()[-1] for line in aws.run("s3", "ls").splitlines()]
        [bucket] = [name for name in buckets if "-media-" in name]
        for options, configuration in [
            ([], ""),
            (["--checksum-algorithm", "CRC64NVME"], ""),
            (["--checksum-algorithm", "SHA256"], ""),
            ([], "request_checksum_calculation = when_required\n"),
            ([], "s3 =\n    max_concurrent_requests = 30\n"),
        ]:
            if "CRC64NVME" in options and not aws.has_crt():
                print("notice: this AWS CLI has no awscrt, and so no CRC64NVME of its own; not checked")
                continue
            aws.configure(configuration)
            checksums = up_and_down(aws, directory, bucket, options)
            how = " ".join([*options, *configuration.split()]) or "by default"
            print(f"200 MB up and down {how}: {checksums}")
        aws.configure("")
        copy_list_and_remove(aws, directory, bucket)
        go_on_after_a_kill(aws, stack, directory, bucket)
        stack.kill(signal.SIGTERM)
        print(f"peak memory of the stack: {max(stack.peaks) // 1_000_000} MB")
        check(max(stack.peaks) < PEAK_BYTES, f"the stack's memory stays below {PEAK_BYTES // 1_000_000} MB")


if __name__ == "__main__":
    main()
