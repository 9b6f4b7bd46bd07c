"""What all ends of bananasd do together: daemons as their users run them."""

import pytest


@pytest.fixture(autouse=True)
def _untraced(untraced: None) -> None:
    """What these tests need is measured by those of its parts; here a tracer would only cost time."""
