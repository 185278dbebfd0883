"""The page: HTML, CSS and JavaScript of this package, so that the browser loads nothing from elsewhere."""

from fastapi import APIRouter
from starlette.responses import Response

from verydeep.web_page.page_files import page_files

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page_routes() -> APIRouter:
    """Routes to the files of the page."""
    routes = APIRouter(include_in_schema=False)
    for name, content in page_files("server").items():
        path = "/" if name == "index.html" else f"/{name}"
        routes.api_route(path, methods=["GET", "HEAD"])(_Answer(content, _TYPES[name.rpartition(".")[2]]))
    return routes


class _Answer:
    """A route that gives one file."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content, self.media_type = content, media_type

    async def __call__(self) -> Response:
        return Response(self.content, media_type=self.media_type)
