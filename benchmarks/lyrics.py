"""Words of music: mgc-lyrics against transformers' own pipeline, which hears the same clips."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch

from benchmarks.timing import Row, Section, Times, in_turns, row
from mgc.audio.clip_policy import ClipPolicy
from mgc.features.extraction.one_file import heard

RATE, SECONDS = 16_000, 30.0
OURS, ALONE = "mgc-lyrics, all clips at once", "mgc-lyrics, clip by clip"
PIPELINE, GREEDY = "transformers' pipeline, as it comes", "transformers' pipeline, greedy"
TEXT = (
    "Seconds a clip of 30 s, decoded before, with the Whisper that MGC_WHISPER names, float32, on "
    "{threads} threads. As it comes, the pipeline searches with five beams; greedy, it writes the "
    "words of mgc-lyrics: the same for {same} of {clips} clips, and mgc-lyrics stopped in a loop "
    "in {stopped}. The cases take turns; ratios are of processor time within a turn."
)


def measure(paths: list[Path], turns: int) -> Section:
    """Every case on the same clips."""
    model = os.environ.get("MGC_WHISPER", "")
    if not model or not find_spec("mgc_lyrics"):
        why = "Not measured: it needs mgc-lyrics, and MGC_WHISPER=FOLDER with a Whisper model."
        return Section("Lyrics", why)
    torch.set_num_threads(os.cpu_count() or 1)
    waves = [wave for path in paths for wave in _waves(path)]
    cases, said = _cases(model, waves)
    times = in_turns(cases, turns)
    rows = [row(times, name, PIPELINE, scale=1 / len(waves), unit="s") for name in cases]
    rows.append(Row("the same on the clock", _clock(times), "× the pipeline as it comes"))
    pairs = list(zip(said[OURS], said[GREEDY], strict=True))
    same = sum(ours == theirs for ours, theirs in pairs)
    stopped = sum(ours != theirs and theirs.startswith(ours) for ours, theirs in pairs)
    facts = {"threads": torch.get_num_threads(), "clips": len(waves), "same": same}
    return Section("Lyrics", TEXT.format(**facts, stopped=stopped), rows, facts)


def _waves(path: Path) -> list[torch.Tensor]:
    clips = heard(path, ClipPolicy(SECONDS, 1), [RATE])
    return [torch.from_numpy(clip[RATE]) for clip in clips]


def _cases(
    model: str, waves: list[torch.Tensor]
) -> tuple[dict[str, Callable[[int], object]], dict[str, list[str]]]:
    from mgc_lyrics.lyrics import Lyrics, LyricsParams
    from transformers import pipeline

    extractor = Lyrics(LyricsParams(model=model), "cpu")
    peer = pipeline("automatic-speech-recognition", model, dtype=torch.float32, device="cpu")
    said: dict[str, list[str]] = {}

    @torch.inference_mode()
    def ours(_: int) -> None:
        clips = extractor.transcripts(waves)
        said[OURS] = [" ".join(window.text for window in clip) for clip in clips]

    @torch.inference_mode()
    def alone(_: int) -> None:
        for wave in waves:
            extractor.transcripts([wave])

    def pipelined(name: str, **settings: object) -> Callable[[int], None]:
        def run(_: int) -> None:
            raw = [{"raw": wave.numpy(), "sampling_rate": RATE} for wave in waves]
            made = [peer(one, generate_kwargs=settings) for one in raw]
            said[name] = [one["text"].strip() for one in made]

        return run

    greedy = pipelined(GREEDY, num_beams=1, do_sample=False)
    return {PIPELINE: pipelined(PIPELINE), GREEDY: greedy, ALONE: alone, OURS: ours}, said


def _clock(times: dict[str, Times]) -> float:
    pairs = zip(times[OURS].clock, times[PIPELINE].clock, strict=True)
    return median(ours / theirs for ours, theirs in pairs)
