"""One deployment for the whole run; what was measured is printed, and the emulator's log when a test failed."""

import pytest

from deployment import STAGE, deploy, environment
from emulator import Emulator
from shell import Shell

LOG = pytest.StashKey[str]()
MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def emulator(pytestconfig):
    with Emulator() as emulator:
        yield emulator
        pytestconfig.stash[LOG] = emulator.log()


@pytest.fixture(scope="session")
def deployment(emulator):
    STAGE.mkdir(parents=True, exist_ok=True)
    with Shell(STAGE, environment(emulator)) as shell:
        yield deploy(emulator, shell)


@pytest.fixture
def record(pytestconfig):
    """Says what was measured at the end of the run."""
    return pytestconfig.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(line)
    if exitstatus != pytest.ExitCode.OK and LOG in config.stash:
        terminalreporter.section("the emulator's log")
        terminalreporter.write(config.stash[LOG])
