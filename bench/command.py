"""How the programs of the benchmark end: with a status, a line that says what is wrong, and nothing left running."""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from bananasd.errors import BananasError

from .errors import BenchError


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run it and end. A SIGTERM ends it in order, its server and its daemons included."""
    signal.signal(signal.SIGTERM, lambda signum, _: sys.exit(128 + signum))
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, BananasError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
