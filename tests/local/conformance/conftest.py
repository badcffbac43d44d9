"""One local stack for the whole run; its log is printed when a test failed."""

import uuid

import pytest

from aws import Aws
from stack import LocalStack


LOG = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def local_stack(pytestconfig):
    with LocalStack() as stack:
        yield stack
        pytestconfig.stash[LOG] = stack.log()


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    if exitstatus != pytest.ExitCode.OK and LOG in config.stash:
        terminalreporter.section("the local stack's log")
        terminalreporter.write(config.stash[LOG])


@pytest.fixture(scope="session")
def aws(local_stack) -> Aws:
    return Aws(local_stack.url)


@pytest.fixture(scope="session")
def s3(aws):
    return aws.client("s3")


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex


@pytest.fixture(autouse=True)
def still_running(local_stack):
    yield
    assert local_stack.is_running(), "the local stack ended:\n" + local_stack.log()
