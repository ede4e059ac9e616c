"""Declares the extractor; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import ExtractorInfo, hookimpl

RATE = 16_000  # Hz, as Whisper was trained
WINDOW = 30 * RATE  # samples that Whisper hears at once


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """The words of a clip."""
    yield ExtractorInfo(
        name="lyrics",
        summary="what is sung, as Whisper writes it down: words, language, how much is sung",
        load="mgc_lyrics.lyrics:Lyrics",
        sample_rate=RATE,
        hop_samples=WINDOW,
        kind="vector",
        unit="share",
        weights="hub:openai/whisper-base",
        licence="Apache-2.0",
        pretrained_on=("680,000 hours of web audio (not listed)",),
        revision=2,
        requires=("transformers", "sklearn"),
        install="pip install mgc-lyrics",
    )
