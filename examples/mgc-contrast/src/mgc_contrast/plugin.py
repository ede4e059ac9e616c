"""Declares the extractor. mgc reads this at every start: import nothing but mgc here."""

from mgc import ExtractorInfo, hookimpl


@hookimpl
def mgc_extractors():
    """What this package brings."""
    yield ExtractorInfo(
        name="contrast",
        summary="spectral contrast: how far each octave's peaks stand out of its valleys",
        load="mgc_contrast.contrast:Contrast",
        sample_rate=22_050,  # Hz: mgc resamples to it
        hop_samples=512,  # from one frame to the next
        kind="sequence",  # or "vector": one row of numbers a clip
        unit="dB",
        revision=1,  # raise it when the numbers change
    )
