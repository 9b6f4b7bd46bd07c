"""The web server: a socket that listens, and uvicorn in a thread of its own, which leaves signals to the process."""

import logging
import os
import socket
import threading

import uvicorn

from .connections import BACKLOG, Connections
from .dashboard import Dashboard

KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on. Raises OSError if the address is taken, or is not one of ours."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    try:
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        # It has put the address into the words, which is for the caller to tell.
        raise OSError(error.errno, os.strerror(error.errno or 0)) from error
    # Every connection inherits it. Else the second half of an answer waits 40 ms for the first to be acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class WebServer:
    """Serves a dashboard on a socket until it is stopped."""

    def __init__(self, dashboard: Dashboard, listener: socket.socket) -> None:
        self._dashboard = dashboard
        config = uvicorn.Config(
            dashboard.app,
            loop="asyncio",
            http=Connections().protocol,
            backlog=BACKLOG,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What it imports comes here: what fails is the caller's to see, and no other thread imports the same meanwhile.
        config.load()
        self._server = uvicorn.Server(config)
        # In the main thread it would take the process's signals for itself.
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="uvicorn", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish what is being answered, for a second at most, and end."""
        self._dashboard.close()
        self._server.should_exit = True
