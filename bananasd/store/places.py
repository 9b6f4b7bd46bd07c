"""Where the doctor saw which ids."""

from collections.abc import Iterable


class Places:
    """Where ids were seen. Most are in one place, so that is kept small: 400,000 jobs take some 60 MB."""

    def __init__(self) -> None:
        self._lengths: dict[bytes, int] = {}
        self._first: dict[bytes, bytes] = {}
        self._more: dict[bytes, list[bytes]] = {}

    def note(self, place: bytes, ids: Iterable[bytes]) -> None:
        """These ids are in this place."""
        length = self._lengths.get(place, 0)
        for job_id in ids:
            if job_id in self._first:
                self._more.setdefault(job_id, []).append(place)
            else:
                self._first[job_id] = place
            length += 1
        self._lengths[place] = length

    def length(self, places: Iterable[bytes]) -> int:
        """How many ids these places had together."""
        return sum(self._lengths.get(place, 0) for place in places)

    def pop(self, job_id: bytes) -> list[bytes]:
        """The places of an id, which is then done with."""
        first = self._first.pop(job_id, None)
        return [] if first is None else [first, *self._more.pop(job_id, ())]

    def rest(self) -> list[bytes]:
        """The ids that are not done with."""
        return list(self._first)
