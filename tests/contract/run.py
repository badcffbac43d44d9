#!/usr/bin/env python3
"""schemathesis against the local stack, as everybody: requests that the OpenAPI document allows, and such that it does not.

    run.py [--role ROLE] [--examples COUNT] [--seed SEED] [--workers COUNT] [-- OPTION...]

For each role a local stack is started (`target/debug/local`, or what `LOCAL` names) and a world made on it (`world.py`);
then schemathesis asks every operation of `functions/docs/openapi.json` for its examples, for the bounds of each field and
parameter, for what comes to its mind, and for one thing after another, with all of its checks. `schemathesis.toml` has
its settings and `hooks.py` the few objections that are none. Roles run side by side, each as it would alone.

Without options it asks the same requests every time, few enough for every change. `--examples 200` takes longer and finds
more; with `--seed` they are others. What follows `--` goes to schemathesis: `-- --include-operation-id create-media`.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "local/conformance")]

from stack import LocalStack  # noqa: E402
from world import ADMIN_EMAIL, PASSWORD, ROLES, World  # noqa: E402

DOCUMENT = REPOSITORY / "functions/docs/openapi.json"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# No run comes near them: all requests are from one address, and most of one account.
GENEROUS = "1000000"
PARAMETERS = {
    "SignUpsPerIpPerHour": GENEROUS,
    "SignUpsPerEmailPerHour": GENEROUS,
    "LogInsPerIpPerMinute": GENEROUS,
    "LogInsPerAccountAndIpPerHour": GENEROUS,
    "LogInsPerAccountPerHour": GENEROUS,
    "PasswordChangesPerUserPerHour": GENEROUS,
    "UploadsPerUserPerHour": GENEROUS,
    "ViewsPerViewerPerMinute": GENEROUS,
    "UserQuotaBytes": str(2**50),
    # Of what is made up, nothing becomes ready.
    "ReadyWaitSeconds": "0",
    # Without a CDN, some parameters are refused whatever they say.
    "CdnEnabled": "true",
}


def run(role, options):
    """Everything that schemathesis asks as this role: its exit status, and what it said."""
    arguments = ["--admin-email", ADMIN_EMAIL, "--admin-password", PASSWORD]
    with contextlib.ExitStack() as cleanup:
        # Where schemathesis keeps what it would look at in its next run.
        directory = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="contract-"))
        stack = cleanup.enter_context(
            LocalStack(REPOSITORY / "template.yaml", arguments=arguments, **PARAMETERS)
        )
        world = World(stack.api_url)
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CONTRACT_API": stack.api_url,
            "CONTRACT_ROLE": role,
            "CONTRACT_WORLD": json.dumps(world.made()),
        }
        command = [SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml", "--no-color", "run", DOCUMENT]
        command += ["--url", stack.api_url, *options]
        done = subprocess.run(
            command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if not stack.is_running():
            return 1, done.stdout + "the local stack ended:\n" + stack.log()
        return done.returncode, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--role", choices=ROLES, action="append", help="as whom; may be repeated")
    parser.add_argument("--examples", type=int, help="how many requests of each operation are made up")
    parser.add_argument("--seed", type=int, help="makes other requests up than in every other run")
    parser.add_argument("--workers", type=int, default=2, help="how many roles run side by side")
    parser.add_argument("options", nargs="*", help="options of schemathesis")
    arguments = parser.parse_args()
    options = list(arguments.options)
    if arguments.examples:
        options += ["--max-examples", str(arguments.examples)]
    options += ["--seed", str(arguments.seed)] if arguments.seed else ["--generation-deterministic"]
    failed = []
    with concurrent.futures.ThreadPoolExecutor(arguments.workers) as pool:
        begun = time.monotonic()
        runs = {role: pool.submit(run, role, options) for role in arguments.role or ROLES}
        for role, done in runs.items():
            status, said = done.result()
            print(f"=== as {role}: {'passed' if status == 0 else 'FAILED'}, {time.monotonic() - begun:.0f} s in all")
            print(said if status else "\n".join(line for line in said.splitlines() if "generated" in line))
            failed += [role] if status else []
    if failed:
        sys.exit(f"FAILED as {', '.join(failed)}")


if __name__ == "__main__":
    main()
