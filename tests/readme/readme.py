"""README.md taken apart: its shell blocks with what runs each of them, and its table of parameters."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
CI = REPOSITORY / ".ci/run"


class Runner(Enum):
    """What runs a block."""

    CI = "a step of .ci/run"
    LOCAL = "test_local_stack.py, against `cargo local`"
    DEPLOYMENT = "tests/deployment, against an emulator of AWS"


# Blocks that are no steps of .ci/run, by the heading above them.
RUNNERS = {
    "Try it": Runner.LOCAL,
    "A journey with curl": Runner.LOCAL,
    "What is read of a file": Runner.LOCAL,
    "Invoke events": Runner.LOCAL,
    "Deploy": Runner.DEPLOYMENT,
    "Keys": Runner.DEPLOYMENT,
    "How to remove everything": Runner.DEPLOYMENT,
    "A stuck upload, or deletion": Runner.DEPLOYMENT,
    "The table as it was": Runner.DEPLOYMENT,
}


@dataclass(frozen=True)
class Block:
    """A block of shell commands, as it is in the README."""

    heading: str
    line: int
    text: str

    def commands(self) -> list[str]:
        """Its lines without comments."""
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in self.text.splitlines())
        return [line for line in lines if line]

    def runner(self) -> Runner | None:
        """What runs it; nothing, if nobody has said."""
        steps = set(CI.read_text().splitlines())
        return Runner.CI if steps.issuperset(self.commands()) else RUNNERS.get(self.heading)


def blocks(runner: Runner | None = None) -> list[Block]:
    """The shell blocks in order; those of one runner only, if there is one given."""
    found, heading, begun = [], "", None
    lines = README.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("```") and begun is not None:
            if lines[begun] != "```text":
                found.append(Block(heading, begun + 1, "\n".join(lines[begun + 1 : number])))
            begun = None
        elif line.startswith("```"):
            begun = number
        elif line.startswith("#") and begun is None:
            heading = line.lstrip("# ")
    return [block for block in found if runner in (None, block.runner())]


def parameters() -> list[tuple[str, str]]:
    """Names and defaults in the table of parameters."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", section("Configuration"), re.MULTILINE)
    return [(name, "" if default == "–" else default.strip("`")) for name, default in rows]


def routes(heading: str, column: int) -> set[tuple[str, str]]:
    """Methods and paths in a column of a table. A method stands for what follows it, too; `GET`, `HEAD /a`, `/b` are four."""
    found = set()
    for row in re.findall(r"^\| .+ \|$", section(heading), re.MULTILINE):
        methods, is_listing = [], False
        for method, path in re.findall(r"`([A-Z]+)?(?: ?(/[^`?]*))?[^`]*`", row.split(" | ")[column]):
            if method:
                methods = methods + [method] if is_listing else [method]
            is_listing = not path
            if path:
                found.update((method, path) for method in methods)
    return found


def section(heading: str) -> str:
    """What is between this heading of the second level and the next."""
    return README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
