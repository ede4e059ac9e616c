"""The routes that hear audio: ``/v1/predict``, ``/v1/similar`` and ``/v1/explain``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import mgc
from mgc_serve import options
from mgc_serve.answers import record
from mgc_serve.options import Option
from mgc_serve.problems import ProblemError, from_error
from mgc_serve.service import Service
from mgc_serve.uploads import Received, Upload, received

Options = dict[str, Any]
#: Answers a request: the service, the run, the files and the options → what it says.
Answer = Callable[[Service, mgc.Run, Sequence[Upload], Options], Awaitable[Any]]
#: Options that a worker process is told.
WANTED = (
    *("timeline", "window", "hop", "smooth", "waveform"),
    *("coverage", "unknown", "views"),
)
GONE = 499  # the client does not wait for the answer


def routes() -> list[Route]:
    """The routes."""
    known = (
        ("predict", options.PREDICT, _predict),
        ("similar", options.SIMILAR, _similar),
        ("explain", options.EXPLAIN, _explain),
    )
    return [
        Route(f"/v1/{name}", _endpoint(accepted, answer), methods=["POST"], name=name)
        for name, accepted, answer in known
    ]


def _endpoint(
    accepted: Sequence[Option], answer: Answer
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            with service.admitted(), service.folder_of_request() as folder:
                # Known before the body is sent: a wrong option costs no upload.
                options.parsed(accepted, request.query_params.multi_items())
                got = await received(request, service.settings, folder)
                return await _unless_gone(request, _answered(service, got, accepted, answer))
        except ClientDisconnect:
            return Response(status_code=GONE)

    return endpoint


async def _answered(
    service: Service, got: Received, accepted: Sequence[Option], answer: Answer
) -> Response:
    asked = options.parsed(accepted, got.options)
    name = asked["run"]
    run = service.runs.known(name)
    if run is None:
        run = await asyncio.to_thread(service.runs.find, name)
    return JSONResponse(await answer(service, run, got.files, asked))


async def _unless_gone(request: Request, work: Awaitable[Response]) -> Response:
    """The answer; work that has not begun is not done for a client that has gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _predict(
    service: Service, run: mgc.Run, files: Sequence[Upload], asked: Options
) -> dict[str, Any]:
    alone = service.in_hand == len(files) == 1
    made = await asyncio.gather(*(_one(service, run, file, asked, alone) for file in files))
    problems = [problem for problem in made if isinstance(problem, ProblemError)]
    service.metrics.add("files_total", len(made) - len(problems), outcome="answered")
    service.metrics.add("files_total", len(problems), outcome="unusable")
    if problems and len(made) == 1 and not asked["lenient"]:
        raise problems[0]
    answers = [
        {"file": file.name, "error": one.as_record()} if isinstance(one, ProblemError) else one
        for file, one in zip(files, made, strict=True)
    ]
    return {"run": run.name, "genres": run.genres, "answers": answers}


async def _one(
    service: Service, run: mgc.Run, file: Upload, asked: Options, alone: bool
) -> dict[str, Any] | ProblemError:
    """The answer to a file; the worker that hears it answers too if it is ``alone``: there is
    nothing to be answered together with it."""
    wanted = {key: asked[key] for key in WANTED} | {"max_seconds": service.settings.max_seconds}
    try:
        heard = await service.work(
            "predict", file.path, file.name, run=str(run.folder), answers=alone, **wanted
        )
        if not alone:

            def finish(_: mgc.Model, answer: mgc.Prediction) -> dict[str, Any]:
                return record(answer, heard, asked)

            heard = await service.answer(run, heard, asked["unknown"], finish)
        return {"file": file.name, **heard}
    except ProblemError as problem:
        return problem
    except mgc.MgcError as error:
        return from_error(error)


async def _similar(
    service: Service, run: mgc.Run, files: Sequence[Upload], asked: Options
) -> dict[str, Any]:
    file = _only(files)
    wanted = {key: asked[key] for key in ("among", "count", "same_artist")}
    said = await service.work("similar", file.path, file.name, run=str(run.folder), **wanted)
    of = quote(said["of"], safe="")
    for track in said["tracks"]:
        track["audio"] = f"/v1/tracks/{of}/{quote(track['track_id'], safe='')}/audio"
    return {"run": run.name, "file": file.name, "tracks": said["tracks"]}


async def _explain(
    service: Service, run: mgc.Run, files: Sequence[Upload], asked: Options
) -> dict[str, Any]:
    file = _only(files)
    said = await service.work(
        "explain", file.path, file.name, run=str(run.folder), genre=asked["genre"]
    )
    return {"run": run.name, "file": file.name, **said}


def _only(files: Sequence[Upload]) -> Upload:
    if len(files) > 1:
        raise ProblemError(400, "too-many-files", "This takes one file at a time.")
    return files[0]
