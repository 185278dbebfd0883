"""The pages: HTML, CSS and JavaScript of this package, so that the browser loads nothing from elsewhere."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from verydeep.serve.openapi import route_descriptions
from verydeep.templates.environment import environment
from verydeep.web_page.page_files import page_files

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_METHODS = ["GET", "HEAD"]


def page_routes() -> APIRouter:
    """Routes to the files of the page, and to the page of the API."""
    routes = APIRouter(include_in_schema=False)
    api = files("verydeep.web_page") / "api"
    contents = page_files("server") | {"api.css": (api / "api.css").read_bytes()}
    for name, content in contents.items():
        path = "/" if name == "index.html" else f"/{name}"
        answer = _Answer(content, _TYPES[name.rpartition(".")[2]])
        routes.api_route(path, methods=_METHODS)(answer)
    template = environment().from_string((api / "api.html.j2").read_text(encoding="utf-8"))

    @routes.api_route("/docs", methods=_METHODS)
    async def docs(request: Request) -> Response:
        document = request.app.openapi()
        described = route_descriptions(document, str(request.base_url).rstrip("/"))
        return HTMLResponse(template.render(description=document["info"]["description"], routes=described))

    return routes


class _Answer:
    """A route that gives one file."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content, self.media_type = content, media_type

    async def __call__(self) -> Response:
        return Response(self.content, media_type=self.media_type)
