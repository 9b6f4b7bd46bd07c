"""What must hold of a namespace when nothing runs, whatever has happened before."""

import re

from bananasd.processes.row import Word
from bananasd.store.access import Access
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.doctor import Doctor
from bananasd.store.faults import Finding
from bananasd.store.keys import Keys
from bananasd.store.store import Retention

from .conftest import wait_until
from .daemon import Daemon

NAMESPACE = "default"
KEYS = Keys(NAMESPACE)
KINDS = re.compile(
    r"job:[0-9a-f-]{36}|(ready|wake):[\w-]+:(high|normal|low)|held:\S+/\d+\.\d+|node:\S+"
    r"|result:[0-9a-f-]{36}|mail:[0-9a-f]{32}|unique:.+|(orders|bell):\S+"
    r"|wake:scheduled|holders|scheduled|dead|handlers|moved|nodes|paused|queues|stats|schedules|fired"
)
"""The keys of docs/protocol.md, without the tag before them."""
PASSING = re.compile(r"result:|mail:|orders:|bell:")
"""Those that have a time to live."""


class Look:
    """Reads the keys of a server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, *command: object):
        """One command on a connection of its own."""
        connection = HeldConnection(Server(self.url, 5))
        try:
            (reply,) = connection.trip([command])
        finally:
            connection.close()
        assert not isinstance(reply, Exception), reply
        return reply

    def find(self, pattern: str = "*") -> list[str]:
        return [key.decode() for key in self.call("KEYS", pattern)]

    def holders(self) -> set[str]:
        return {holder.decode() for holder in self.call("SMEMBERS", KEYS.holders)}

    def held(self) -> list[str]:
        """The held lists that are not empty."""
        return [key for key in self.find() if key.startswith(f"{KEYS.prefix}held:")]

    def nodes(self) -> list[str]:
        return [node.decode() for node in self.call("ZRANGE", KEYS.nodes, 0, -1)]

    def ready(self) -> list[str]:
        """The ids in all lanes."""
        lanes = [key for key in self.find() if key.startswith(f"{KEYS.prefix}ready:")]
        return [job_id.decode() for lane in lanes for job_id in self.call("LRANGE", lane, 0, -1)]

    def record(self, job_id: str) -> dict[str, str]:
        words = [word.decode() for word in self.call("HGETALL", KEYS.job(job_id))]
        return dict(zip(words[::2], words[1::2], strict=True))

    def complaints(self) -> list[Finding]:
        """What the doctor finds."""
        connection = HeldConnection(Server(self.url, 5))
        try:
            return list(Doctor(connection, NAMESPACE).examine())
        finally:
            connection.close()


def access(url: str) -> Access:
    """The way to the namespace of the test daemons."""
    return Access(Server(url, 5), NAMESPACE, Retention())


def assert_idle(daemon: Daemon) -> None:
    """A daemon that runs nothing: its living workers are the only holders, and they hold nothing."""
    look = Look(daemon.url)

    def living() -> set[str]:
        board = daemon.board
        return {row.holder(board.node) for row in board.used_rows() if row.is_living and row.words[Word.TRIP]}

    wait_until(lambda: daemon.is_up() and look.holders() == living() and not look.held())
    assert_documented(look)


def assert_left(url: str) -> None:
    """A server that all daemons have left: no holder, nothing held, no node."""
    look = Look(url)
    assert (look.holders(), look.held(), look.nodes(), look.find(f"{KEYS.prefix}node:*")) == (
        set(),
        [],
        [],
        [],
    )
    assert_documented(look)


def assert_documented(look: Look) -> None:
    """No key is there that the protocol does not name, and none stays that must not."""
    strange = [key for key in look.find() if not KINDS.fullmatch(key.removeprefix(KEYS.prefix))]
    assert strange == []
    # One may be gone since it was found.
    staying = [
        key
        for key in look.find()
        if PASSING.match(key.removeprefix(KEYS.prefix)) and look.call("PTTL", key) == -1
    ]
    assert staying == []
