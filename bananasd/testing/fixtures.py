"""What pytest finds with ``pytest_plugins = ["bananasd.testing.fixtures"]`` in a conftest.py.

Not an entry point: the test runs of everybody who has bananasd installed would load it.
"""

from collections.abc import Iterator

import pytest

from . import FakeQueue, fake


@pytest.fixture
def bananas() -> Iterator[FakeQueue]:
    """A `fake` queue for the length of a test, with the handlers that imported modules declare."""
    with fake() as queue:
        yield queue
