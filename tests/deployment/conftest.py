"""One deployment for the whole run; the emulator's log is printed when a test failed."""

import pytest

from deployment import Deployment, deploy
from emulator import Emulator

LOG = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def emulator(pytestconfig):
    with Emulator() as emulator:
        yield emulator
        pytestconfig.stash[LOG] = emulator.log()


@pytest.fixture(scope="session")
def deployment(emulator) -> Deployment:
    return deploy(emulator)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    if exitstatus != pytest.ExitCode.OK and LOG in config.stash:
        terminalreporter.section("the emulator's log")
        terminalreporter.write(config.stash[LOG])
