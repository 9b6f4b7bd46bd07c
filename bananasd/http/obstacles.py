"""What keeps a dashboard from starting; looked for by everybody who reads a configuration, so nothing large is imported."""

from collections.abc import Iterator
from importlib.util import find_spec

from ..settings import Config

LIBRARIES = ("prometheus_client", "starlette", "uvicorn")


def http_obstacles(config: Config) -> Iterator[str]:
    """Each with its place and a remedy; none if no dashboard is wanted."""
    if not config.http.listen:
        return
    at = f"{config.path}: " if config.path else ""
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        yield (
            f"{at}http.listen: the dashboard needs {', '.join(missing)}: pip install 'bananasd[http]', "
            "or leave this out"
        )
    try:
        config.http.read_token()
    except ValueError as error:
        yield f"{at}http.token_file: {error}"
