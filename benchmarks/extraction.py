"""mel + MFCC + chroma of one file on one core: mgc, its floor, its peers, and other formats."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.music import KINDS, converted
from benchmarks.timing import Section, in_turns, row

RATE, N_FFT, HOP, MELS, MFCCS = 22_050, 2048, 512, 128, 40
FLOOR, OURS = "pure decode (soundfile)", "mgc"
TEXT = (
    "Milliseconds a clip of 30 s, 44.1 kHz stereo mp3 → log-mel (128), MFCC (40) and chroma (12) "
    "at 22.05 kHz, one core; and the same music in other formats. The cases take turns over the "
    "same files; ratios are of processor time within a turn."
)


def measure(paths: list[Path], turns: int) -> Section:
    """Every case on each file in turn."""
    import torch

    torch.set_num_threads(1)
    floors = dict.fromkeys((OURS, "mgc, one feature (mel)"), FLOOR)
    cases: dict[str, Callable[[Path], object]] = {FLOOR: _decode, OURS: _mgc()}
    notes = {FLOOR: "the floor: nothing but decoding, stereo, 44.1 kHz"}
    cases["mgc, one feature (mel)"] = _mgc("mel")
    cases["librosa, loaded once"] = _librosa_once
    cases["librosa, loaded for each feature"] = _librosa_each
    cases["soundfile + torchaudio"] = _torchaudio()
    notes["soundfile + torchaudio"] = "mel and MFCC alone: it has no chroma"
    if find_spec("pyAudioAnalysis"):
        cases["pyAudioAnalysis"] = _pyaudioanalysis
        notes["pyAudioAnalysis"] = "13 MFCCs, chroma and 21 others, 32 ms frames"
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as folder:
        runs = {name: _over(case, paths) for name, case in cases.items()}
        for suffix in KINDS:
            same = [converted(p, Path(folder, f"{n}{suffix}")) for n, p in enumerate(paths)]
            floor, ours = f"{FLOOR}, {suffix}", f"{OURS}, {suffix}"
            runs |= {floor: _over(_decode, same), ours: _over(cases[OURS], same)}
            floors |= {floor: FLOOR, ours: floor}
        times = in_turns(runs, turns * len(paths))
    rows = [
        row(times, name, floors.get(name, OURS), scale=1e3, unit="ms", note=notes.get(name, ""))
        for name in runs
    ]
    return Section("Extraction on one core", TEXT, rows, {"files": len(paths), "turns": turns})


def _over(case: Callable[[Path], object], paths: list[Path]) -> Callable[[int], object]:
    return lambda turn: case(paths[turn % len(paths)])


def _decode(path: Path) -> object:
    import soundfile

    return soundfile.read(path, dtype="float32")


def _mgc(*names: str) -> Callable[[Path], object]:
    from mgc.features.extraction import features_of
    from mgc.features.extractor_spec import ExtractorSpec

    sources = [ExtractorSpec(name) for name in names or ("mel", "mfcc", "chroma")]
    return lambda path: features_of(path, sources)


def _librosa_once(path: Path) -> object:
    import librosa

    wave, rate = librosa.load(path, sr=RATE)
    return (
        librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=rate, n_mels=MELS)),
        librosa.feature.mfcc(y=wave, sr=rate, n_mfcc=MFCCS),
        librosa.feature.chroma_stft(y=wave, sr=rate),
    )


def _librosa_each(path: Path) -> object:
    """As tutorials do: a function for each feature, and each loads the file."""
    import librosa

    wave, rate = librosa.load(path, sr=RATE)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=rate, n_mels=MELS))
    wave, rate = librosa.load(path, sr=RATE)
    mfcc = librosa.feature.mfcc(y=wave, sr=rate, n_mfcc=MFCCS)
    wave, rate = librosa.load(path, sr=RATE)
    return mel, mfcc, librosa.feature.chroma_stft(y=wave, sr=rate)


def _torchaudio() -> Callable[[Path], object]:
    import soundfile
    import torch
    import torchaudio.functional
    import torchaudio.transforms as transforms

    spectrum = {"n_fft": N_FFT, "hop_length": HOP, "n_mels": MELS, "pad_mode": "constant"}
    mel = transforms.MelSpectrogram(RATE, **spectrum, norm="slaney", mel_scale="slaney")
    decibel = transforms.AmplitudeToDB(top_db=80)
    mfcc = transforms.MFCC(RATE, MFCCS, melkwargs=spectrum)

    def run(path: Path) -> object:
        wave, rate = soundfile.read(path, dtype="float32")
        mono = torch.from_numpy(wave).mean(dim=1)
        resampled = torchaudio.functional.resample(mono, rate, RATE)
        return decibel(mel(resampled)), mfcc(resampled)

    return run


def _pyaudioanalysis(path: Path) -> object:
    import librosa
    from pyAudioAnalysis import ShortTermFeatures

    wave, rate = librosa.load(path, sr=RATE)
    return ShortTermFeatures.feature_extraction(np.asarray(wave, np.float64), rate, 705, HOP)
