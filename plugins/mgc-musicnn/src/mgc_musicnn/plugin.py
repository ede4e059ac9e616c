"""Declares the extractor; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import ExtractorInfo, hookimpl

RATE = 16_000  # Hz, as the network was trained
HOP = 256  # samples


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """One network, two sets of weights."""
    yield ExtractorInfo(
        name="musicnn",
        summary="musicnn: trained to tag the Million Song Dataset (weights ISC)",
        load="mgc_musicnn.musicnn:Musicnn",
        sample_rate=RATE,
        hop_samples=HOP,
        kind="vector",
        unit="embedding",
        weights="weights/musicnn/msd.safetensors",
        licence="ISC",
        pretrained_on=("Million Song Dataset",),
    )
