"""Packages of node's that a test needs, installed where it says."""

import shutil
import subprocess
from pathlib import Path

from tests.systemd.surroundings import require

INSTALL_TRIES, INSTALL_SECONDS = 3, 60


def install(folder: Path, package: str) -> Path:
    """The folder, with the package in it. The test is skipped where that cannot be; in CI it fails."""
    require(bool(shutil.which("node") and shutil.which("npm")), "it needs node and npm")
    told = ""
    for _ in range(INSTALL_TRIES):
        told = _try(folder, package)
        if told == "":
            return folder
    require(False, f"{package} could not be installed: {told}")
    raise AssertionError


def _try(folder: Path, package: str) -> str:
    """What went wrong, if anything did."""
    try:
        done = subprocess.run(
            ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", package],
            cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not within {INSTALL_SECONDS} s"
    return "" if done.returncode == 0 else done.stderr or f"npm ended with {done.returncode}"
