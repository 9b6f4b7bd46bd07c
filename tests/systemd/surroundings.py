"""What some tests need of the machine they run on: at a desk it may be missing, in CI it may not."""

import os
import subprocess

import pytest


def require(is_given: bool, reason: str) -> None:
    """Skip the test if something is not given; where ``$CI`` is ``true``, fail."""
    if is_given:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"required in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def require_namespaces() -> None:
    """For tests that make namespaces and mount things in them."""
    require(os.geteuid() == 0, "it needs root")
    made = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)  # fmt: skip
    require(made.returncode == 0, f"namespaces cannot be made here: {made.stderr.strip()}")
