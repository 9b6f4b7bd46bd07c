"""The files of the pages, served from memory as the package has them."""

import hashlib
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Not asked of the system, whose table may call a script a text, and then no browser runs it."""

INDEX = "index.html"


class Assets:
    """Read once; a browser asks each time whether its copy is still right."""

    def __init__(self) -> None:
        folder = files(__package__) / "static"
        self._files = {
            file.name: (content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
            for file in folder.iterdir()
            for content in [file.read_bytes()]
        }

    async def index(self, request: Request) -> Response:
        """The page, which fetches all else."""
        return self._serve(request, INDEX)

    async def file(self, request: Request) -> Response:
        """One of the files."""
        return self._serve(request, request.path_params["name"])

    def _serve(self, request: Request, name: str) -> Response:
        if name not in self._files:
            raise HTTPException(404, "there is no such file")
        content, tag = self._files[name]
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=TYPES[name[name.rindex(".") :]])
