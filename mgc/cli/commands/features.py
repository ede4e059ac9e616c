"""``mgc features``."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.commands import stored_features
from mgc.cli.ui import options, output, plugin_list
from mgc.cli.ui.live import progress
from mgc.errors import MgcError, UsageError
from mgc.plugins.licences import limits

if TYPE_CHECKING:
    from mgc.features.extractor_spec import ExtractorSpec

Clip = Annotated[int, typer.Option(help="Which clip of the track to draw.", min=1)]
PictureFile = Annotated[
    Path | None, options.output_file("The picture: .png, .svg or .pdf (default: a .png here).")
]
OpenIt = Annotated[bool, typer.Option("--open", help="Open the picture.")]

app = typer.Typer(no_args_is_help=True, help="Feature extractors and the features they have made.")


@app.command("list")
def list_features(as_json: output.JsonOption = False) -> None:
    """List the extractors, built-in and installed."""
    plugin_list.show_list("extractor", as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="An extractor; or a file, or a track id.")],
    extractors: Annotated[
        list[str] | None,
        typer.Option("--extractor", "-e", help="Draw this feature of the track (repeatable)."),
    ] = None,
    data: options.DataName = None,
    settings: options.Settings = None,
    clip: Clip = 1,
    clip_seconds: options.ClipSeconds = None,
    out: PictureFile = None,
    opened: OpenIt = False,
    as_json: output.JsonOption = False,
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Show an extractor and its parameters; or draw features of a track, one below the other."""
    options.one_name_each("-e", extractors or [], words or [])
    if extractors:
        options.refuse_unused("with --extractor", {"--json": as_json})
        from mgc.cli.commands.feature_plots import FeatureDrawing

        FeatureDrawing(extractors, data, settings, clip, clip_seconds, out, opened).one(name)
        return
    if Path(name).is_file():
        raise UsageError(
            f"{name} is a file: which of its features should be drawn?",
            f"Run: mgc features show {name} --extractor mel",
        )
    drawing = {"--data": data, "--clip": clip > 1, "--clip-seconds": clip_seconds}
    options.refuse_unused("without -e", {**drawing, "--output": out, "--open": opened})
    from mgc import resolve

    resolve.check_settings([name], [], settings)
    (source,) = resolve.sources([name], settings, resolve.policy(None, None), "cpu")
    facts = {
        "licence": source.of_weights("licence"),
        "pretrained_on": tuple(source.of_weights("pretrained_on")),
    }
    size = _size_of_a_thousand(source)
    plugin_list.show_one("extractor", name, as_json, facts | ({"size": size} if size else {}))


@app.command("compare")
def compare(
    tracks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TRACK]...", help="Files or track ids (default: one per genre)."),
    ] = None,
    extractors: Annotated[
        list[str] | None, typer.Option("--extractor", "-e", help="Feature to draw (repeatable).")
    ] = None,
    data: options.DataName = None,
    settings: options.Settings = None,
    clip: Clip = 1,
    clip_seconds: options.ClipSeconds = None,
    out: PictureFile = None,
    opened: OpenIt = False,
) -> None:
    """Draw features of several tracks side by side, with one colour scale per feature."""
    from mgc.cli.commands.feature_plots import FeatureDrawing

    wanted = extractors or ["mel"]
    FeatureDrawing(wanted, data, settings, clip, clip_seconds, out, opened).several(tracks or [])


def _size_of_a_thousand(source: ExtractorSpec) -> str:
    """The space that 1,000 clips of the default length take in the store; "" if the extractor has
    no way to tell (`feature_shape`), or what it needs if it cannot tell yet."""
    from math import prod

    tell = getattr(source.extractor, "feature_shape", None)
    if tell is None:
        return ""
    seconds = source.policy.seconds
    try:
        with source.blamed("feature_shape"):
            shape = tell(round(seconds * source.info.sample_rate))
    except UsageError:
        raise
    except MgcError as error:
        return f"not known: {error.message} {error.hint}"
    number_bytes = 2 if source.kind == "sequence" else 4  # float16 or float32
    megabytes = prod(shape) * number_bytes * 1000 / 1e6
    sides = " x ".join(f"{side:,}" for side in shape)
    return f"{megabytes:,.1f} MB per 1,000 clips of {seconds:g} s ({sides} numbers each)"


@app.command("fetch")
def fetch(
    name: str,
    settings: options.Settings = None,
    source: Annotated[
        Path | None, options.source_file("Take the weights from a file that is here.")
    ] = None,
) -> None:
    """Download the weights that an extractor needs; no other command downloads them."""
    from mgc import resolve

    resolve.check_settings([name], [], settings)
    (spec,) = resolve.sources([name], settings, resolve.policy(None, None), "cpu")
    get = getattr(spec.extractor, "fetch", None)
    if get is None:
        output.say(f"{name} needs no weights: there is nothing to fetch.")
        return
    if source and not signature(get).parameters:
        raise UsageError(f"{name} takes no file (--from).", f"Run: mgc features fetch {name}")
    where = get(source) if source else get()
    output.say(f"{name}: its weights are ready" + (f" in {where}." if where else "."))
    for line in limits(name, spec.of_weights("licence")):
        output.note(line)


@app.command("extract")
def extract(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Extractors.")],
    data: options.DataName = None,
    settings: options.Settings = None,
    clip_seconds: options.ClipSeconds = None,
    clips_per_track: options.ClipsPerTrack = None,
    device: options.Device = "auto",
    workers: options.Workers = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray[://HOST:PORT]", help="Extract on a Ray cluster (extra: ray)."),
    ] = None,
    include_bad: options.IncludeBad = False,
) -> None:
    """Extract features of a dataset; each file is decoded once for all of them."""
    from mgc import resolve

    resolve.check_settings(names, [], settings)
    options.refuse_unused("with --on", {"--workers": on and workers})
    dataset = resolve.dataset(data)
    from mgc.datasets.quality.checking import judge_again
    from mgc.datasets.quarantine import usable
    from mgc.features import extraction

    clips = resolve.policy(clip_seconds, clips_per_track)
    sources, broken = _ready(resolve.sources(names, settings, clips, resolve.device(device)))
    judge_again(dataset, progress())
    tracks, quarantined = usable(dataset, include_bad)
    paths = [dataset.root / path for path in tracks["path"]]
    made = extraction.extract(paths, sources, progress(), workers=workers, on=on)
    if quarantined:
        number = output.count(sum(quarantined.values()), "track")
        output.note(f"{number} in quarantine left out (mgc data check; --include-bad keeps them).")
    output.say(
        f"{' + '.join(names)}: {output.count(made.made, 'track')} extracted, "
        f"{made.found:,} already there, {len(made.failures):,} could not be used."
    )
    output.list_failures([failure.reason for failure in made.failures])
    output.list_failures(broken)
    if made.failures and not made.made + made.found:
        raise MgcError("No track could be used.", "The reasons are listed above.")
    if broken or any(failure.fingerprint for failure in made.failures):  # not the files' own
        raise typer.Exit(1)


def _ready(sources: list[ExtractorSpec]) -> tuple[list[ExtractorSpec], list[str]]:
    """The extractors that can be imported, and why others cannot. Raises MgcError if none can."""
    ready: dict[str, ExtractorSpec] = {}
    broken = []
    for source in sources:
        try:
            ready[source.store.fingerprint] = source
        except MgcError as error:
            broken.append(error)
    if not ready:
        raise broken[0]
    return list(ready.values()), [f"{error.message} {error.hint}" for error in broken]


app.command("status")(stored_features.status)
app.command("verify")(stored_features.verify)
app.command("prune")(stored_features.prune)
app.command("clear")(stored_features.clear)
