"""Records of everything that ships with mgc. They come in through the same entry point as
third-party plug-ins, and import no implementation."""

from __future__ import annotations

from collections.abc import Iterator

from mgc import ExtractorInfo, HeadInfo, StrategyInfo, hookimpl

MUSIC_RATE = 22_050  # Hz; half of the CD rate: keeps what a mel spectrogram shows below 11 kHz
MUSIC_HOP = 512  # samples; 23.2 ms at 22,050 Hz, librosa's default
WHISPER_RATE = 16_000  # Hz
WHISPER_HOP = 320  # samples: a log-mel hop of 160, then a convolution with stride 2


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """What ships: three views of one power spectrum, and Whisper."""
    yield ExtractorInfo(
        name="mel",
        summary="log-mel spectrogram: energy in mel bands",
        load="mgc.extractors.mel:Mel",
        sample_rate=MUSIC_RATE,
        hop_samples=MUSIC_HOP,
        unit="dB",
    )
    yield ExtractorInfo(
        name="mfcc",
        summary="mel-frequency cepstral coefficients: the shape of the spectrum, timbre",
        load="mgc.extractors.mel:Mfcc",
        sample_rate=MUSIC_RATE,
        hop_samples=MUSIC_HOP,
        unit="coefficient",
    )
    yield ExtractorInfo(
        name="chroma",
        summary="energy in the twelve pitch classes: harmony",
        load="mgc.extractors.chroma:Chroma",
        sample_rate=MUSIC_RATE,
        hop_samples=MUSIC_HOP,
        unit="energy",
    )
    yield ExtractorInfo(
        name="whisper",
        summary="hidden states of Whisper's encoder: speech and singing, heard by a large model",
        load="mgc.extractors.whisper:Whisper",
        sample_rate=WHISPER_RATE,
        hop_samples=WHISPER_HOP,
        window_samples=30 * WHISPER_RATE,
        unit="embedding",
        requires=("transformers",),
        install="pip install mgc-music",
    )


@hookimpl
def mgc_heads() -> Iterator[HeadInfo]:
    """What ships: torch modules for sequences, scikit-learn on pooled statistics."""
    yield HeadInfo(
        name="cnn",
        summary="convolutions over time with attentive pooling, beside statistics of the rows",
        load="mgc.heads.cnn:Cnn",
        trained_by="gradient",
        accepts=("sequence",),
    )
    yield HeadInfo(
        name="attention",
        summary="small transformer with gated attention pooling, beside statistics of the rows",
        load="mgc.heads.attention:Attention",
        trained_by="gradient",
        accepts=("sequence",),
        revision=2,
    )
    yield HeadInfo(
        name="mlp",
        summary="two-layer perceptron on pooled statistics, or on a learnt mixture of layers",
        load="mgc.heads.mlp:Mlp",
        trained_by="gradient",
        accepts=("layers", "vector"),
    )
    yield HeadInfo(
        name="logistic",
        summary="logistic regression on pooled statistics (scikit-learn)",
        load="mgc.heads.logistic:Logistic",
        trained_by="estimator",
    )
    yield HeadInfo(
        name="svm",
        summary="support vector machine on pooled statistics (scikit-learn)",
        load="mgc.heads.svm:Svm",
        trained_by="estimator",
    )
    yield HeadInfo(
        name="gradient-boosting",
        summary="gradient-boosted trees on pooled statistics (scikit-learn)",
        load="mgc.heads.gradient_boosting:GradientBoosting",
        trained_by="estimator",
    )


@hookimpl
def mgc_strategies() -> Iterator[StrategyInfo]:
    """What ships: votes, means, learnt weights, and one classifier over all embeddings."""
    yield from _strategies_that_learn_nothing()
    yield from _strategies_that_learn()


def _strategies_that_learn_nothing() -> Iterator[StrategyInfo]:
    yield StrategyInfo(
        name="majority-voting",
        summary="each member has one vote; a tie goes to the higher mean probability",
        load="mgc.strategies.majority_voting:MajorityVoting",
    )
    yield StrategyInfo(
        name="mean-probability",
        summary="the mean of the members' probabilities",
        load="mgc.strategies.mean_probability:MeanProbability",
    )
    yield StrategyInfo(
        name="confidence",
        summary="the most confident member decides, track by track",
        load="mgc.strategies.confidence:Confidence",
    )
    yield StrategyInfo(
        name="geometric-mean",
        summary="the normalised geometric mean of the members' probabilities",
        load="mgc.strategies.geometric_mean:GeometricMean",
    )


def _strategies_that_learn() -> Iterator[StrategyInfo]:
    yield StrategyInfo(
        name="weighted",
        summary="mean probability with weights learnt from held-out tracks",
        load="mgc.strategies.weighted:Weighted",
        learns="held-out",
    )
    yield StrategyInfo(
        name="greedy",
        summary="members picked again and again while held-out tracks gain by it (Caruana)",
        load="mgc.strategies.greedy:Greedy",
        learns="held-out",
    )
    yield StrategyInfo(
        name="best-subset",
        summary="the mean of those members that do best together on held-out tracks",
        load="mgc.strategies.best_subset:BestSubset",
        learns="held-out",
    )
    yield StrategyInfo(
        name="stacking",
        summary="logistic meta-model over all members' probabilities of held-out tracks",
        load="mgc.strategies.stacking:Stacking",
        learns="held-out",
    )
    yield StrategyInfo(
        name="embeddings",
        summary="one classifier over all members' embeddings, scaled block by block",
        load="mgc.strategies.embeddings:Embeddings",
        combines="embeddings",
        learns="training",
    )
