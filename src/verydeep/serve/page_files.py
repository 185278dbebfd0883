"""The page: HTML, CSS and JavaScript of this package, so that the browser loads nothing from elsewhere."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page_routes() -> APIRouter:
    """Routes to the files of the page."""
    routes = APIRouter(include_in_schema=False)
    folder = files("verydeep.serve") / "page"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        name, _, suffix = file.name.rpartition(".")
        path = "/" if name == "index" else f"/{file.name}"
        routes.get(path)(_Answer(file.read_bytes(), _TYPES[suffix]))
    return routes


class _Answer:
    """A route that gives one file."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content, self.media_type = content, media_type

    async def __call__(self) -> Response:
        return Response(self.content, media_type=self.media_type)
