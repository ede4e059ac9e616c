"""The routes of the page: the document itself, and what it loads."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

HERE = Path(__file__).parent


class Assets(StaticFiles):
    """Files of which a browser asks each time whether they are still the same (ETag)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file; modules of two versions must not meet in one page."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes() -> list[BaseRoute]:
    """Serve the page at ``/``, its scripts, styles and font below ``/static``."""
    templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
    document = templates.get_template("index.html")

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(document.render(review=request.app.state.service.settings.review))

    return [
        Route("/", page, name="page"),
        Mount("/static", Assets(directory=HERE / "static"), name="static"),
    ]
