"""Records of everything that ships with mgc. They come in through the same entry point as
third-party plug-ins, and import no implementation: that of ``gradient-boosting`` is
``GradientBoosting`` in ``mgc.heads.gradient_boosting``, and so on."""

from __future__ import annotations

from collections.abc import Iterator

from mgc import ExtractorInfo, HeadInfo, StrategyInfo, hookimpl

MUSIC_RATE = 22_050  # Hz; half of the CD rate: keeps what a mel spectrogram shows below 11 kHz
MUSIC_HOP = 512  # samples; 23.2 ms at 22,050 Hz, librosa's default
WHISPER_RATE = 16_000  # Hz
WHISPER_HOP = 320  # samples: a log-mel hop of 160, then a convolution with stride 2

#: Three views of one power spectrum: each one's unit and summary.
SPECTRAL = {
    "mel": ("dB", "log-mel spectrogram: energy in mel bands"),
    "mfcc": (
        "coefficient",
        "mel-frequency cepstral coefficients: the shape of the spectrum, timbre",
    ),
    "chroma": ("energy", "energy in the twelve pitch classes: harmony"),
}
#: scikit-learn's classifiers on pooled statistics.
ESTIMATORS = {
    "logistic": "logistic regression on pooled statistics (scikit-learn)",
    "svm": "support vector machine on pooled statistics (scikit-learn)",
    "gradient-boosting": "gradient-boosted trees on pooled statistics (scikit-learn)",
}
#: Strategies that learn nothing.
VOTES_AND_MEANS = {
    "majority-voting": "each member has one vote; a tie goes to the higher mean probability",
    "mean-probability": "the mean of the members' probabilities",
    "confidence": "the most confident member decides, track by track",
    "geometric-mean": "the normalised geometric mean of the members' probabilities",
}
#: Strategies that learn from held-out tracks.
LEARNT = {
    "weighted": "mean probability with weights learnt from held-out tracks",
    "greedy": "members picked again and again while held-out tracks gain by it (Caruana)",
    "best-subset": "the mean of those members that do best together on held-out tracks",
    "stacking": "logistic meta-model over all members' probabilities of held-out tracks",
}


def _code(room: str, name: str, module: str = "") -> str:
    return f"mgc.{room}.{module or name.replace('-', '_')}:{name.title().replace('-', '')}"


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """What ships: three views of one power spectrum, its texture, and Whisper."""
    for name, (unit, summary) in SPECTRAL.items():
        yield ExtractorInfo(
            name=name,
            summary=summary,
            load=_code("extractors", name, "chroma" if name == "chroma" else "mel"),
            sample_rate=MUSIC_RATE,
            hop_samples=MUSIC_HOP,
            unit=unit,
        )
    yield ExtractorInfo(
        name="texture",
        summary="statistics of a sound's texture: music or noise, tones, clicks, hum, speech",
        load=_code("extractors", "texture"),
        sample_rate=MUSIC_RATE,
        hop_samples=MUSIC_HOP,
        kind="vector",
        unit="statistic",
        revision=2,
    )
    yield ExtractorInfo(
        name="whisper",
        summary="hidden states of Whisper's encoder: speech and singing, heard by a large model",
        load=_code("extractors", "whisper"),
        sample_rate=WHISPER_RATE,
        hop_samples=WHISPER_HOP,
        window_samples=30 * WHISPER_RATE,
        unit="embedding",
        weights="hub:openai/whisper-base",
        licence="Apache-2.0",
        pretrained_on=("680,000 hours of web audio (not listed)",),
        requires=("transformers",),
        install="pip install mgc-music",
    )


@hookimpl
def mgc_heads() -> Iterator[HeadInfo]:
    """What ships: torch modules for sequences, scikit-learn on pooled statistics."""
    yield HeadInfo(
        name="cnn",
        summary="convolutions over time, beside statistics; up to 200 tracks behind logistic",
        load=_code("heads", "cnn"),
        trained_by="gradient",
        accepts=("sequence",),
    )
    yield HeadInfo(
        name="attention",
        summary="small transformer, beside statistics; up to 200 tracks behind logistic",
        load=_code("heads", "attention"),
        trained_by="gradient",
        accepts=("sequence",),
        revision=2,
    )
    yield HeadInfo(
        name="mlp",
        summary="two-layer perceptron on pooled statistics, or on a learnt mixture of layers",
        load=_code("heads", "mlp"),
        trained_by="gradient",
        accepts=("layers", "vector"),
    )
    for name, summary in ESTIMATORS.items():
        load = _code("heads", name)
        seeded = name != "logistic"
        yield HeadInfo(name=name, summary=summary, load=load, trained_by="estimator", seeded=seeded)


@hookimpl
def mgc_strategies() -> Iterator[StrategyInfo]:
    """What ships: votes, means, learnt weights, and one classifier over all embeddings."""
    for name, summary in VOTES_AND_MEANS.items():
        yield StrategyInfo(name=name, summary=summary, load=_code("strategies", name, "fixed"))
    for name, summary in LEARNT.items():
        load = _code("strategies", name, "regression" if name == "stacking" else "weights")
        yield StrategyInfo(name=name, summary=summary, load=load, learns="held-out")
    yield StrategyInfo(
        name="embeddings",
        summary="one classifier over all members' embeddings, scaled block by block",
        load=_code("strategies", "embeddings", "regression"),
        combines="embeddings",
        learns="training",
    )
    yield StrategyInfo(
        name="auto",
        summary="a weighted mixture; the best member alone if it is known and mixing is no help",
        load=_code("strategies", "auto"),
        learns="out-of-fold",
    )
