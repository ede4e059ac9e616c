"""The application: routes behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from mgc import MgcError
from mgc_serve import info_routes, predict_routes
from mgc_serve.guard import Guard
from mgc_serve.problems import ProblemError, on_http_error, on_mgc_error, on_problem
from mgc_serve.service import Service
from mgc_serve.settings import Settings

ROOMS = ("mgc_serve.page.routes", "mgc_serve.review.routes")


def make_app(settings: Settings) -> Starlette:
    """The application; its service starts and ends with it."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)

    app = Starlette(
        routes=[*predict_routes.routes(), *info_routes.routes(), *_rooms()],
        middleware=[Middleware(Guard, service=service)],
        exception_handlers={
            ProblemError: on_problem,
            MgcError: on_mgc_error,
            HTTPException: on_http_error,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def _rooms() -> list[BaseRoute]:
    """The routes of the page and of the review."""
    found: list[BaseRoute] = []
    for name in ROOMS:
        if find_spec(name) is not None:
            found += import_module(name).routes()
    return found
