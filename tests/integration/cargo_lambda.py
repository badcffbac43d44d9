#!/usr/bin/env python3
"""`cargo lambda watch` and `cargo lambda invoke` with the files that the local stack writes for them.

    cargo_lambda.py STACK CARGO_LAMBDA

STACK is the binary of the package `local` (`target/debug/local`), with the functions' binaries beside it, and CARGO_LAMBDA
that of PyPI's `cargo-lambda`. Each function gets its environment file, is invoked with some of its events, and has to
answer as `answers/` says; some are asked by the routes, too. `watch` would compile the functions before it runs them:
here it runs its APIs only, and the binaries that are built ask it for events.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).parents[2]
START_SECONDS = 60
ANSWER_SECONDS = 30

# By an environment file of its own, which has the function's access keys, or by everybody's.
CASES = [
    ("ping", "ping", "functions.env"),
    ("check-health", "health", "functions/check-health.env"),
    ("sign-up", "new-account", "functions/sign-up.env"),
    ("log-in", "wrong-password", "functions.env"),
    ("create-media", "no-token", "functions.env"),
    ("extract-metadata", "object-created-raw", "functions/extract-metadata.env"),
    ("sweep", "schedule", "functions/sweep.env"),
    ("unmatched-route", "unknown-route", "functions.env"),
]
ROUTES = [("GET", "/health", 200), ("POST", "/media", 401), ("GET", "/nowhere/at/all", 404)]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(cleanup, command, log_path, ready=None, environment=None):
    """Starts a process that ends with this one; waits until its log says that it is ready."""
    with open(log_path, "w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    cleanup.callback(process.wait)
    cleanup.callback(process.terminate)
    deadline = time.monotonic() + START_SECONDS
    while ready and ready not in log_path.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{command[0]} does not start:\n{log_path.read_text()}")
        time.sleep(0.05)


def read_environment(path):
    """The variables of an environment file, as a shell reads it."""
    lines = path.read_text().splitlines()
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}


def invoke(cargo_lambda, port, function, case):
    command = [cargo_lambda, "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    command += [function, "--data-file", f"events/{function}/{case}.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout)


def ask(port, method, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    stack, cargo_lambda = (pathlib.Path(argument).absolute() for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as cleanup:
        directory = pathlib.Path(temporary)
        data, port = directory / "data", free_port()
        ports = ["--port", str(free_port()), "--aws-port", str(free_port())]
        log = directory / "stack.log"
        start(cleanup, [stack, *ports, "--data-dir", data], log, "Stop with Ctrl-C.")
        watch = [cargo_lambda, "lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"]
        watch += ["--invoke-port", str(port), "--global", data / "cargo-lambda.toml"]
        watch += ["--env-file", data / "functions.env"]
        start(cleanup, watch, directory / "watch.log", "starting Runtime server")
        for function, _, environment in CASES:
            variables = {
                **read_environment(data / environment),
                "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{function}",
                "AWS_LAMBDA_FUNCTION_NAME": function,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
            }
            start(cleanup, [stack.parent / function], directory / f"{function}.log", None, variables)
        for function, case, environment in CASES:
            answer = invoke(cargo_lambda, port, function, case)
            expected = json.loads((ROOT / f"tests/integration/answers/{function}/{case}.json").read_text())
            for name in expected.keys() & {"statusCode", "errorType", "batchItemFailures", "settled"}:
                if answer.get(name) != expected[name]:
                    sys.exit(f"FAILED: {function}/{case} answers {answer}, not {expected}")
            print(f"{function}/{case}, with {environment}")
        for method, path, status in ROUTES:
            answered = ask(port, method, path)
            if answered != status:
                sys.exit(f"FAILED: {method} {path} is answered {answered}, not {status}")
            print(f"{method} {path} by its route")


if __name__ == "__main__":
    main()
