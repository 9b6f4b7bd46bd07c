"""What keeps a dashboard from starting; looked for by everybody who reads a configuration, so nothing large is imported."""

from collections.abc import Collection, Iterator
from importlib.util import find_spec

from ..schema import shown
from ..settings import Config

LIBRARIES = ("prometheus_client", "starlette", "uvicorn")


def http_obstacles(config: Config, rejected: Collection[str] = ()) -> Iterator[str]:
    """Each with its place and a remedy; none if no dashboard is wanted.

    ``rejected``: settings whose default stands in for what the file says, which is no obstacle of its own.
    """
    if not config.http.listen:
        return
    at = f"{config.path}: " if config.path else ""
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        yield (
            f"{at}http.listen: the dashboard needs {', '.join(missing)}: pip install 'bananasd[http]', "
            "or leave this out"
        )
    # No contradiction of the file: systemd may hand the token to the daemon alone, and a command in a shell reads this, too.
    if not config.http.is_loopback and config.http.token_file is None and "http.token_file" not in rejected:
        yield (
            f"{at}http.listen: {shown(config.http.listen)}: others could read and delete jobs from afar: "
            "set http.token_file, or listen on 127.0.0.1"
        )
    try:
        config.http.read_token()
    except ValueError as error:
        yield f"{at}http.token_file: {error}"
