"""Draws the pictures of docs/pictures from the demo dataset: ``make pictures``.

Everything is made by the commands that a user would type. Whisper's picture needs weights: those
that ``MGC_WHISPER`` names (a folder or a fetched model), else an untrained model of the same form.
The pictures of the page of mgc-serve are made by make_page_pictures.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent / "pictures"
TRACK = "jazz-0-0"
RUNS = [f"demo-{name}-cnn-1" for name in ("mel", "mfcc", "chroma")]


def mgc(*words: str) -> None:
    """Run one command; it says itself what went wrong."""
    print("$ mgc", " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "mgc", *words], check=True)


def whisper_model(folder: Path) -> str:
    """The weights to draw with; without any, an untrained model in the real format."""
    named = os.environ.get("MGC_WHISPER")
    if named:
        return named
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperModel

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=64,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return str(folder)


def main() -> None:
    """Make the dataset, three runs and their ensemble in a temporary home; draw everything."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["MGC_HOME"] = home
        mgc("data", "add", "demo")
        for name in ("mel", "mfcc", "chroma"):
            mgc("features", "show", TRACK, "-e", name, "-o", str(HERE / f"{name}.png"))
        model = f"model={whisper_model(Path(home) / 'whisper')}"
        picture = str(HERE / "whisper.png")
        mgc("features", "show", TRACK, "-e", "whisper", "--set", model, "-o", picture)
        extractors = ["-e", "mel", "-e", "mfcc", "-e", "chroma"]
        mgc("fit", *extractors, "--head", "cnn", "--set", "epochs=25")
        mgc("ensemble", "mean-probability")
        everything = [*RUNS, "demo-mean-probability-1"]
        mgc("plot", "curves", *RUNS, "-o", str(HERE / "curves.png"), "--dpi", "110")
        for kind in ("confusion", "embedding", "calibration"):
            run = everything[-1] if kind != "embedding" else RUNS[0]
            mgc("plot", kind, run, "-o", str(HERE / f"{kind}.png"), "--dpi", "110")
        for kind in ("genres", "comparison"):
            mgc("plot", kind, *everything, "-o", str(HERE / f"{kind}.png"), "--dpi", "110")


if __name__ == "__main__":
    main()
