"""The README's blocks for one's own machine, in their order and as they are, against one `cargo local`.

They use what the README names: the ports 3000, 4566 and 9000 and the state under `target/local`. So no other `cargo local`
may run meanwhile, and a second run meets the account of the first.
"""

import os
from contextlib import ExitStack

from readme import REPOSITORY, Runner, blocks
from shell import Server, Shell

# Blocks that run until they are stopped, by how they begin: what they say once they are ready.
SERVERS = {
    "cargo local": "Stop with Ctrl-C.",
    "cargo lambda watch": "starting Runtime server",
}
# Each other block, by its first command: what it has to say in the end.
EXPECTED = {
    "API=http://127.0.0.1:3000": "the same, byte for byte",
    "cargo run --quiet --package probe": '"codec": "hevc"',
    "cargo lambda invoke check-health": '{"status":"ok"',
    "sed -e": '"status\\":\\"ready',
}


def starting(text: str, starts: dict[str, str]) -> str | None:
    """What belongs to the start of this text."""
    return next((value for start, value in starts.items() if text.startswith(start)), None)


def test_the_blocks_do_what_they_say():
    environment = {**os.environ, "PATH": f"{REPOSITORY / 'target/cargo-lambda/bin'}{os.pathsep}{os.environ['PATH']}"}
    with ExitStack() as running:
        shell = running.enter_context(Shell(REPOSITORY, environment))
        for block in blocks(Runner.LOCAL):
            ready = starting(block.text, SERVERS)
            if ready:
                running.enter_context(Server(block.text, REPOSITORY, environment, ready))
                continue
            written = shell.run(block.text)
            assert starting(block.text, EXPECTED) in written, (block, written)
