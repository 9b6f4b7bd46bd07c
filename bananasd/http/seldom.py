"""What strangers can cause as often as they like, and still must not fill the log with."""


class Seldom:
    """Counts; the 1st, 2nd, 4th, 8th … time is worth a line."""

    def __init__(self) -> None:
        self.times = 0

    def is_worth_a_line(self) -> bool:
        """Once more."""
        self.times += 1
        return self.times & (self.times - 1) == 0
