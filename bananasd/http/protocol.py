"""One connection: uvicorn's, but for what a stranger could write into the log with it."""

import logging
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

ERRORS = logging.getLogger("uvicorn.error.protocol")
ERRORS.setLevel(logging.ERROR)
"""Its warnings are about what a peer has sent: a line each, and as many as he likes."""


class Protocol(H11Protocol):
    """``on_broken`` is called for each request that is none."""

    def __init__(self, on_broken: Callable[[], None], **given: Any) -> None:
        super().__init__(**given)
        self.logger = ERRORS
        self._on_broken = on_broken

    @property
    def is_made(self) -> bool:
        """Whether it has a socket."""
        transport: object = self.transport
        return transport is not None

    @property
    def is_gone(self) -> bool:
        """Whether it has had one."""
        return self.is_made and self.transport.is_closing()

    @property
    def is_asking(self) -> bool:
        """Whether it is being answered."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """Refuse what came, and all that would come after it."""
        self._on_broken()
        if self.is_asking:
            # Its head was in order, so an answer is on its way. Said after this one it would be an error, and a traceback.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say_400(b"" if self._is_asked_for_a_head() else msg.encode())
        self.transport.close()

    def _is_asked_for_a_head(self) -> bool:
        return self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"

    def _say_400(self, body: bytes) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
