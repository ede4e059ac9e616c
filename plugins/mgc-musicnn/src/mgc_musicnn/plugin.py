"""Declares the extractor; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import ExtractorInfo, ModelInfo, hookimpl

RATE = 16_000  # Hz, as the network was trained
HOP = 256  # samples
#: The genres of ``musicnn-msd``, and the tags that stand for each.
GENRES = {
    "blues": ("blues",),
    "classical": ("instrumental",),
    "country": ("country",),
    "disco": ("dance", "funk", "70s", "80s"),
    "electronic": ("electronic", "electronica"),
    "folk": ("folk",),
    "hip-hop": ("Hip-Hop",),
    "jazz": ("jazz",),
    "metal": ("metal", "heavy metal"),
    "pop": ("pop",),
    "rnb": ("rnb", "soul"),
    "rock": ("rock", "alternative rock"),
}


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """One network, two sets of weights."""
    yield ExtractorInfo(
        name="musicnn",
        summary="musicnn: trained to tag music",
        load="mgc_musicnn.musicnn:Musicnn",
        sample_rate=RATE,
        hop_samples=HOP,
        kind="vector",
        unit="embedding",
        weights="weights/musicnn/msd.safetensors",
        licence="ISC",
        pretrained_on=("Million Song Dataset",),
    )


@hookimpl
def mgc_models() -> Iterator[ModelInfo]:
    """The network's own answer, with no training."""
    yield ModelInfo(
        name="musicnn-msd",
        summary="twelve genres from musicnn's tags: 72 % right on GTZAN",
        load="mgc_musicnn.genres:write_run",
        genres=tuple(GENRES),
        licence="ISC",
        pretrained_on=("Million Song Dataset",),
        bytes=29_292_476,
    )
