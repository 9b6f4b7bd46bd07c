"""The scene of each case, and the check after it, which no case can forget."""

from collections.abc import Iterator

import pytest

from tests.conftest import RedisServer

from .checker import check
from .scene import Scene

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember how the case itself ended: of one that failed nothing more is asked."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def scene(own_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A server that writes each change at once, and what a case makes of it; the promise is checked afterwards."""
    scene = Scene(own_server)
    try:
        yield scene
        if request.node.stash.get(PASSED, False):
            check(scene)
        else:
            for daemon in scene.daemons:
                print(daemon.log_text()[-20_000:])
            print(scene.ledger.path.read_text()[-5_000:])
    finally:
        scene.close()
