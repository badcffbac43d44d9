"""`sam build` makes what is deployed; four of the binaries are measured: how large they are, and how soon they answer.

Built for this machine's processor, with the settings that the stack gave the functions, against the emulator. The bounds
are far above what is measured; they tell a mistake, such as a second TLS library, from a machine that is busy.
"""

import json
import os
import statistics
import subprocess
import tomllib

import pytest

from deployment import REPOSITORY, TARGET
from emulator import REGION
from runtime_api import cold_start

ROUNDS = 11
SIZE_LIMIT_BYTES = 20_000_000
COLD_START_LIMIT_MS = 2_000

# Function, and the event that it is given: no AWS; the table and a secret; the table; the table, S3 and SQS.
MEASURED = {
    "PingFunction": "ping/ping.json",
    "LogInFunction": "log-in/wrong-password.json",
    "GetMediaFunction": "get-media/no-token.json",
    "ExtractMetadataFunction": "extract-metadata/s3-test-event.json",
}


def build(function: str):
    """The function's binary, as `sam build` leaves it."""
    folder = TARGET / "sam" / function
    tools = f"{TARGET / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sam", "build", function, "--build-dir", folder, "--no-cached"]
        + ["--parameter-overrides", "Architecture=x86_64"],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": tools, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"},
        check=True,
    )
    return folder / function / "bootstrap"


def test_nothing_of_the_profile_is_left_to_cargo_lambda():
    """It would have panics end the process: https://www.cargo-lambda.info/commands/build.html."""
    profile = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["profile"]["release"]
    assert {"strip", "lto", "codegen-units", "panic"} <= profile.keys()
    assert profile["panic"] == "unwind"


@pytest.mark.parametrize("function", MEASURED)
def test_a_release_is_small_and_starts_soon(deployment, function, record):
    emulator = deployment.emulator
    bootstrap = build(function)
    names = emulator.client("lambda").list_functions()["Functions"]
    name = next(one["FunctionName"] for one in names if f"-{function}-" in one["FunctionName"])
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=name)
    environment = configuration.get("Environment", {}).get("Variables", {}) | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/measured",
        "AWS_LAMBDA_LOG_STREAM_NAME": "measured",
        "SSL_CERT_FILE": str(emulator.certificate),
    }
    event = json.loads((REPOSITORY / "events" / MEASURED[function]).read_text())
    starts = [cold_start(bootstrap, environment, event) for _ in range(ROUNDS)]
    init, invoke = (statistics.median(times) for times in zip(*((one.init_ms, one.invoke_ms) for one in starts)))
    size = bootstrap.stat().st_size
    record(f"{function}: {size / 1e6:.1f} MB, {init:.0f} ms until it asks for an event, {invoke:.0f} ms to answer it")
    assert size < SIZE_LIMIT_BYTES
    assert init + invoke < COLD_START_LIMIT_MS
