"""``mgc review``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mgc import UsageError
from mgc_serve.listening import Host, Port, Token
from mgc_serve.settings import Settings


def review(
    dataset: Annotated[str, typer.Argument(help="The dataset whose labels are reviewed.")],
    run: Annotated[
        str | None,
        typer.Option("--run", help="Only this run's opinion (default: the best of the dataset)."),
    ] = None,
    port: Port = Settings.port,
    host: Host = Settings.host,
    token: Token = "",
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write the queue for Label Studio; no page."),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE.json", help="Read answers given in Label Studio; no page."
        ),
    ] = None,
) -> None:
    """Hear and correct a dataset's doubtful labels in the browser."""
    from mgc_serve.review.session import Review

    if export is not None and import_ is not None:
        raise UsageError("--export and --import exclude each other.", "Give one of them.")
    if export is not None or import_ is not None:
        from mgc_serve.review import label_studio

        done = label_studio.export if export is not None else label_studio.import_answers
        typer.echo(done(Review(dataset, run), export or import_ or Path()))
        return
    settings = Settings(host=host, port=port, token=token, review=dataset, run=run)
    if not settings.local and not token:
        raise UsageError(f"Everyone who reaches {host} could correct labels.", "Give --token WORD.")
    # What cannot be reviewed is said now, not in the browser.
    first, *_ = Review(dataset, run).systems
    typer.echo(f"Opinions by {first[-1].name} and others that did not learn from the track.")
    from mgc_serve.serve import run_server

    run_server(settings, "/review")
