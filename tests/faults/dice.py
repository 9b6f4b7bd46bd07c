"""Faults by dice: two daemons and their server are killed, frozen, cut off, reloaded and restarted, several at a time."""

import heapq
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from bananasd.processes import procfs

from .patient import Patient
from .scene import Scene
from .sides import NODE_FAULTS, SERVER_FAULTS

LATE_SECONDS = 10.0
"""How much longer than promised a daemon may take to end: the machine is busy with all of this."""


class Dice:
    """Rolls them until it is told to let everything go. The same seed rolls the same faults."""

    def __init__(self, scene: Scene, patients: list[Patient], seed: int, lease_seconds: float) -> None:
        self.scene, self.lease_seconds, self.random = scene, lease_seconds, random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.told: list[str] = []
        self.pauses: list[tuple[float, float]] = []
        self._patients = patients
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self.is_server_whole = True

    def roll_until(self, deadline: float, pause_seconds: float) -> None:
        """Make faults, undo them in time, and see that no daemon ends but those that were told to.

        Between a fault and the next there are up to ``pause_seconds``.
        """
        next_at = time.monotonic()
        while time.monotonic() < deadline:
            self._do_what_is_due(time.monotonic())
            self._look_after()
            if time.monotonic() >= next_at:
                self._roll()
                next_at = time.monotonic() + self.random.uniform(0.1, pause_seconds)
            time.sleep(0.02)

    def let_go(self) -> None:
        """Undo everything, and have both daemons run."""
        self._do_what_is_due(float("inf"))
        for patient in self._patients:
            self.scene.wait_until(lambda: self._is_back(patient))  # noqa: B023

    # One fault

    def _roll(self) -> None:
        faults = [*SERVER_FAULTS.items(), *NODE_FAULTS.items()]
        ((name, (_, fault)),) = self.random.choices(faults, [weight for _, (weight, _) in faults])
        patient = self.random.choice(self._patients)
        is_made = fault(self) if name in SERVER_FAULTS else patient.runs and fault(self, patient)
        if is_made is not False:
            self.faults[name] += 1
            where = "" if name in SERVER_FAULTS else f" of {patient.name}"
            self.told.append(f"{time.monotonic():.3f} {name}{where}")

    def after(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, len(self.told), undo))

    def seconds(self, least: float, most: float) -> float:
        return self.random.uniform(least, most)

    def _do_what_is_due(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    # Daemons

    def _look_after(self) -> None:
        for patient in self._patients:
            process = patient.daemon.process
            assert process is not None
            status = process.poll()
            if patient.starts_at is not None:
                if time.monotonic() >= patient.starts_at:
                    patient.starts_at = None
                    patient.daemon.start(wait=False)
            elif patient.ends_by is not None:
                assert status in (None, 0), (patient.name, status, patient.daemon.log_text()[-5000:])
                assert status == 0 or time.monotonic() < patient.ends_by, f"{patient.name} does not end"
                if status == 0:
                    patient.ends_by, patient.starts_at = None, time.monotonic()
            else:
                assert status is None, (patient.name, status, patient.daemon.log_text()[-5000:])

    def _is_back(self, patient: Patient) -> bool:
        self._look_after()
        return patient.runs and patient.daemon.is_up()

    def gone(self, patient: Patient) -> None:
        """It was killed; another is started after a while."""
        assert patient.daemon.process is not None
        patient.daemon.process.wait()
        patient.starts_at = time.monotonic() + self.seconds(0, 1.5 * self.lease_seconds)

    def ends(self, patient: Patient, seconds: float) -> None:
        """It was told to end in so many seconds."""
        patient.ends_by = time.monotonic() + seconds + LATE_SECONDS

    def freeze(self, patient: Patient, pids: list[int], seconds: float, *, is_cut_off: bool = False) -> None:
        """SIGSTOP, and SIGCONT later, if they are still the same processes."""
        stopped = [(pid, born) for pid in pids if (born := procfs.born(pid)) is not None]
        for pid, _ in stopped:
            procfs.send(pid, signal.SIGSTOP)
        began = time.monotonic()

        def thaw() -> None:
            for pid, born in reversed(stopped):
                if procfs.born(pid) == born:
                    procfs.send(pid, signal.SIGCONT)
            self._note_pause(began, [patient] if is_cut_off else [])

        self.after(seconds, thaw)

    def freezing_seconds(self) -> float:
        """Shorter than a lease, or longer."""
        return self.seconds(0.1, 2 * self.lease_seconds)

    # The server

    def spoil_server(self, seconds: float, undo: Callable[[], None]) -> None:
        """One thing at a time."""
        began, self.is_server_whole = time.monotonic(), False

        def mend() -> None:
            undo()
            self.is_server_whole = True
            self._note_pause(began, [])

        self.after(seconds, mend)

    def cut_off(self, mode: str, seconds: float) -> None:
        """The daemons behind the proxy hear nothing of the server for a while."""
        began = time.monotonic()
        self.scene.proxy.mode = mode

        def connect() -> None:
            self.scene.proxy.mode = "pass"
            self._note_pause(began, [patient for patient in self._patients if patient.is_proxied])

        self.spoil_server(seconds, connect)

    def _note_pause(self, began: float, cut_off: list[Patient]) -> None:
        """Something stood still, or could not be reached, until now; for these daemons it was the server."""
        self.pauses.append((began, time.monotonic()))
        for patient in cut_off:
            patient.cut_off.append(self.pauses[-1])
