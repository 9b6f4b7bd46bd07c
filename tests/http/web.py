"""A client of the dashboard, as plain as can be: what it sends is what the test says."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Web:
    """The dashboard at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def get(
        self, path: str, *, timeout: float = 10, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of an answer, whatever the status."""
        request = urllib.request.Request(self.url + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            return self.get("/livez", timeout=2)[0] == 200
        except OSError:
            return False

    @contextmanager
    def watching(self) -> Iterator[Iterator[Any]]:
        """The snapshots of somebody who watches."""
        with urllib.request.urlopen(f"{self.url}/api/live", timeout=10) as stream:
            yield (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))
