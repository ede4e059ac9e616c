"""Declares the three extractors; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import ExtractorInfo, hookimpl

RATE = 22_050  # Hz
HOP = 512  # samples; nine times divisible by 2, so seven octaves can each halve it


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """Pitch (cqt, vqt) and rhythm (tempogram)."""
    yield ExtractorInfo(
        name="cqt",
        summary="constant-Q transform: energy in semitones, harmony and pitch",
        load="mgc_cqt.constant_q:Cqt",
        sample_rate=RATE,
        hop_samples=HOP,
        unit="dB",
    )
    yield ExtractorInfo(
        name="vqt",
        summary="variable-Q transform: semitones, with sharper timing in the bass",
        load="mgc_cqt.constant_q:Vqt",
        sample_rate=RATE,
        hop_samples=HOP,
        unit="dB",
    )
    yield ExtractorInfo(
        name="tempogram",
        summary="how strongly the onsets repeat at each tempo: rhythm",
        load="mgc_cqt.tempo:Tempogram",
        sample_rate=RATE,
        hop_samples=HOP,
        unit="autocorrelation",
    )
