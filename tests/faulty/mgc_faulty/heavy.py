"""Declares what it should, but imports torch to do so."""

import torch

from mgc import ExtractorInfo, hookimpl


@hookimpl
def mgc_extractors():
    yield ExtractorInfo(
        name="heavy",
        summary="faulty",
        load="mgc_faulty.extractors:Sound",
        sample_rate=16_000,
        hop_samples=400 if torch.float32 else 1,
    )
