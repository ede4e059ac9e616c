"""Declares the encoders; imports nothing but mgc."""

from collections.abc import Iterator
from typing import Any

from mgc import ExtractorInfo, hookimpl

MUSIC_RATE, SPEECH_RATE, CLAP_RATE = 24_000, 16_000, 48_000  # Hz, as the models were trained
NEEDS: dict[str, Any] = {
    "requires": ("transformers",),
    "install": "pip install mgc-encoders",
    "unit": "embedding",
}


@hookimpl
def mgc_extractors() -> Iterator[ExtractorInfo]:
    """Each family has its own name; the model is a parameter."""
    yield from _trained_on_music()
    yield from _trained_on_sounds()
    yield from _trained_on_speech()


def _trained_on_music() -> Iterator[ExtractorInfo]:
    yield ExtractorInfo(
        name="mert",
        summary="MERT: trained on music by masked prediction",
        load="mgc_encoders.speech:Mert",
        sample_rate=MUSIC_RATE,
        hop_samples=320,
        kind="layers",
        weights="hub:m-a-p/MERT-v1-95M",
        licence="CC BY-NC 4.0",
        pretrained_on=("music from the internet (not listed)",),
        **NEEDS,
    )
    yield ExtractorInfo(
        name="clap",
        summary="CLAP: trained on music with its captions",
        load="mgc_encoders.clap:Clap",
        sample_rate=CLAP_RATE,
        hop_samples=480,
        kind="vector",
        weights="hub:laion/larger_clap_music",
        licence="Apache-2.0",
        pretrained_on=("AudioSet", "LAION-Audio-630K", "more music (not listed)"),
        **NEEDS,
    )


def _trained_on_sounds() -> Iterator[ExtractorInfo]:
    yield ExtractorInfo(
        name="ast",
        summary="Audio Spectrogram Transformer: trained to name sounds",
        load="mgc_encoders.ast:Ast",
        sample_rate=SPEECH_RATE,
        hop_samples=160,
        kind="layers",
        weights="hub:MIT/ast-finetuned-audioset-10-10-0.4593",
        licence="BSD-3-Clause",
        pretrained_on=("AudioSet",),
        **NEEDS,
    )
    yield ExtractorInfo(
        name="dasheng",
        summary="Dasheng: trained on sounds and music; real weights untested",
        load="mgc_encoders.dasheng:Dasheng",
        sample_rate=SPEECH_RATE,
        hop_samples=640,
        kind="layers",
        weights="hub:mispeech/dasheng-base",
        licence="Apache-2.0",
        pretrained_on=("ACAV100M", "AudioSet", "MTG-Jamendo", "VGGSound"),
        **NEEDS,
    )


def _trained_on_speech() -> Iterator[ExtractorInfo]:
    yield ExtractorInfo(
        name="wav2vec2",
        summary="wav2vec 2.0: trained on speech",
        load="mgc_encoders.speech:Wav2Vec2",
        sample_rate=SPEECH_RATE,
        hop_samples=320,
        kind="layers",
        weights="hub:facebook/wav2vec2-base",
        licence="Apache-2.0",
        pretrained_on=("LibriSpeech",),
        **NEEDS,
    )
    yield ExtractorInfo(
        name="hubert",
        summary="HuBERT: trained on speech",
        load="mgc_encoders.speech:Hubert",
        sample_rate=SPEECH_RATE,
        hop_samples=320,
        kind="layers",
        weights="hub:facebook/hubert-base-ls960",
        licence="Apache-2.0",
        pretrained_on=("LibriSpeech",),
        **NEEDS,
    )
    yield ExtractorInfo(
        name="wavlm",
        summary="WavLM: trained on speech, noisy and overlapping",
        load="mgc_encoders.speech:WavLm",
        sample_rate=SPEECH_RATE,
        hop_samples=320,
        kind="layers",
        weights="hub:microsoft/wavlm-base-plus",
        licence="see the model card",
        pretrained_on=("Libri-Light", "GigaSpeech", "VoxPopuli"),
        **NEEDS,
    )
