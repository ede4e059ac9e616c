"""Declares the head; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import HeadInfo, hookimpl


@hookimpl
def mgc_heads() -> Iterator[HeadInfo]:
    """Boosted trees on pooled statistics."""
    yield HeadInfo(
        name="lightgbm",
        summary="gradient-boosted trees on pooled statistics (LightGBM)",
        load="mgc_lightgbm.trees:LightGbm",
        trained_by="estimator",
        requires=("lightgbm",),
        install="pip install mgc-lightgbm",
    )
