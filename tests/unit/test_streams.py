"""Closed standard streams: nothing fails for them, and nothing else takes their numbers."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from bananasd import streams
streams.open_missing()
print("told")
print("told", file=sys.stderr)
sys.stdin.read()
with open(sys.executable) as file:
    sys.exit(file.fileno())
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leads_to_nowhere(closed: str) -> None:
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, PROGRAM], check=False)
    assert done.returncode >= 3


def test_streams_that_there_are_stay_as_they_are() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=b"", capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"told\n", b"told\n")
