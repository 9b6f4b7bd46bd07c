"""What a real daemon tells Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from bananasd.metrics.exposition import Metrics
from bananasd.store.access import Access
from bananasd.store.connection import Server
from bananasd.store.store import Retention
from tests.conftest import wait_until
from tests.daemon import Daemon

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: bytes) -> Series:
    """The samples of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


class Scraper:
    """A Prometheus of one daemon."""

    def __init__(self, daemon: Daemon, url: str = "") -> None:
        access = Access(Server(url or daemon.url, 5), "default", Retention())
        # A unix socket is one of this host's.
        self._server = f"{access.server.address} on {daemon.board.node.rpartition('-')[0]}"
        self.metrics = Metrics(daemon.board, access)

    def scrape(self) -> Series:
        """Everything, as it is now."""
        return read(self.metrics.text())

    def __call__(self, name: str, **labels: str) -> float | None:
        """One sample, as it is now; None if there is none."""
        if name.startswith("namespace_"):
            labels |= {"namespace": "default", "server": self._server}
        return self.scrape().get((f"bananasd_{name}", frozenset(labels.items())))

    def wait_for(self, wanted: float, name: str, **labels: str) -> None:
        """Until a sample has come to a number; what is cached for a second makes that a while."""
        seen: list[float | None] = []
        try:
            wait_until(lambda: seen.append(self(name, **labels)) or seen[-1] == wanted)
        except AssertionError:
            raise AssertionError(f"{name} {labels}: {seen[-1]}, not {wanted}") from None
