"""Declares every faulty plug-in."""

from mgc import ExtractorInfo, HeadInfo, StrategyInfo, hookimpl

EXTRACTORS = (
    "LoadsInInit",
    "Transposed",
    "Uncentred",
    "Double",
    "LogOfZero",
    "DividesBySilence",
    "NotOverdriven",
    "NeedsAWindow",
    "Deaf",
    "Dropout",
    "BatchNormalised",
    "InPlace",
    "Unseeded",
    "OpenParams",
    "PathParams",
    "Changed",
    "ClockIdentity",
    "Broken",
    "Leaves",
    "WideTexts",
    "Illiterate",
    "UnscaledTexts",
    "Masked",
    "BigEndian",
)
TEXTS = ("WideTexts", "Illiterate", "UnscaledTexts")
ESTIMATORS = ("Scores", "WarmStart", "Shifted", "Pickled", "Forgetful", "Unscaled", "Random")
MODULES = ("BatchStatistics", "IgnoresLengths", "UnusedWeights", "FixedLength")
STRATEGIES = ("Unnormalised", "FirstWins", "NanMean", "AcrossTracks", "FavouriteGenre")


@hookimpl
def mgc_extractors():
    for name in EXTRACTORS:
        yield ExtractorInfo(
            name=name.lower(),
            summary="faulty",
            load=f"mgc_faulty.extractors:{name}",
            sample_rate=16_000,
            hop_samples=400,
            kind="vector" if name in TEXTS else "sequence",
            revision=2 if name == "Changed" else 1,
        )
    yield ExtractorInfo(
        name="misloaded",
        summary="",
        load="mgc_faulty.extractors:Nowhere",
        sample_rate=16_000,
        hop_samples=400,
        requires=("numpy",),
    )


@hookimpl
def mgc_heads():
    for name in ESTIMATORS:
        yield HeadInfo(
            name=name.lower(),
            summary="faulty",
            load=f"mgc_faulty.heads:{name}",
            trained_by="estimator",
        )
    for name in MODULES:
        yield HeadInfo(
            name=name.lower(),
            summary="faulty",
            load=f"mgc_faulty.modules:{name}",
            trained_by="gradient",
            accepts=("sequence",),
        )


@hookimpl
def mgc_strategies():
    for name in STRATEGIES:
        yield StrategyInfo(
            name=name.lower(), summary="faulty", load=f"mgc_faulty.strategies:{name}"
        )
    yield StrategyInfo(
        name="forgets",
        summary="faulty",
        load="mgc_faulty.strategies:Forgets",
        learns="held-out",
    )
