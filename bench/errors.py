"""What goes wrong in a benchmark, told with what to do about it."""


class BenchError(Exception):
    """A run that cannot go on, or not begin; its message says why."""
