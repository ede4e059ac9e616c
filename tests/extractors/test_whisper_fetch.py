"""`mgc features fetch` and `mgc features show`, as a user calls them; the hub is a local one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.extractors import hub

NAME = "someone/tiny-whisper"


def mgc_process(tmp_path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """A process of its own: Hugging Face reads its environment once, when it is imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    own = {"HF_HOME": str(tmp_path / "hf"), "MGC_HOME": str(tmp_path / "home"), **environment}
    done = subprocess.run(
        [sys.executable, "-m", "mgc", *arguments],
        env={**clean, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_fetch_takes_safetensors_and_leaves_the_rest(whisper_folder: Path, tmp_path: Path) -> None:
    offered = Path(shutil.copytree(whisper_folder, tmp_path / "offered"))
    for extra in ("pytorch_model.bin", "model.fp32-00001-of-00002.safetensors", "README.md"):
        (offered / extra).write_bytes(b"not wanted")
    with hub.serve(offered, NAME) as (address, taken):
        code, told = mgc_process(
            tmp_path, "features", "fetch", "whisper", "--set", f"model={NAME}", HF_ENDPOINT=address
        )
    assert code == 0, told
    assert "its weights are ready in" in told
    assert sorted(taken) == ["config.json", "model.safetensors", "preprocessor_config.json"]
    # What was fetched serves without any network.
    code, told = mgc_process(
        tmp_path, "features", "show", "whisper", "--set", f"model={NAME}", "--set", "layer=all"
    )
    assert code == 0, told
    assert "2.0 MB per 1,000 clips of 30 s (4 x 128 numbers each)" in told


def test_a_repository_of_pickles_is_refused(whisper_folder: Path, tmp_path: Path) -> None:
    offered = Path(shutil.copytree(whisper_folder, tmp_path / "offered"))
    (offered / "model.safetensors").rename(offered / "pytorch_model.bin")
    with hub.serve(offered, NAME) as (address, taken):
        code, told = mgc_process(
            tmp_path, "features", "fetch", "whisper", "--set", f"model={NAME}", HF_ENDPOINT=address
        )
    assert code == 1
    assert "has no model.safetensors" in told
    assert "pytorch_model.bin" not in taken


@pytest.mark.parametrize(
    ("environment", "model"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, NAME),
        ({"HF_HUB_OFFLINE": "1"}, NAME),
    ],
)
def test_fetch_without_network_says_so(tmp_path: Path, environment, model: str) -> None:
    code, told = mgc_process(
        tmp_path, "features", "fetch", "whisper", "--set", f"model={model}", **environment
    )
    assert code == 1
    assert f"Whisper model '{model}' could not be fetched: " in told
    assert "Check the name and the connection" in told
    assert "Traceback" not in told


def test_fetch_of_a_name_that_the_hub_has_not(whisper_folder: Path, tmp_path: Path) -> None:
    with hub.serve(whisper_folder, NAME) as (address, _):
        code, told = mgc_process(
            tmp_path, "features", "fetch", "whisper", "--set", "model=a/b", HF_ENDPOINT=address
        )
    assert code == 1
    assert "'a/b' could not be fetched" in told


def test_a_local_folder_is_only_checked(mgc, whisper_folder: Path) -> None:
    told = mgc("features", "fetch", "whisper", "--set", f"model={whisper_folder}")
    assert told.code == 0, told.err
    assert str(whisper_folder) in told.out


def test_an_extractor_without_weights_has_nothing_to_fetch(mgc) -> None:
    told = mgc("features", "fetch", "mel")
    assert told.code == 0, told.err
    assert "nothing to fetch" in told.out


def test_weights_from_a_file_are_for_extractors_that_take_one(mgc, tmp_path: Path) -> None:
    told = mgc("features", "fetch", "whisper", "--from", tmp_path)
    assert told.code == 2
    assert "whisper takes no file (--from)." in told.err


def test_the_list_says_that_weights_are_missing(mgc, tmp_path: Path, monkeypatch) -> None:
    def statuses() -> dict[str, str]:
        return {row["name"]: row["status"] for row in mgc("features", "list", "--json").json}

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert statuses()["whisper"] == "weights missing: mgc features fetch whisper"
    assert statuses()["mel"] == "ready"
    snapshot = tmp_path / "models--openai--whisper-base" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    assert statuses()["whisper"] == "ready"


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ([], "153.6 MB per 1,000 clips of 30 s (512 x 150 numbers each)"),
        (["stride=1"], "1,536.0 MB per 1,000 clips of 30 s (512 x 1,500 numbers each)"),
        (["layer=all"], "28.7 MB per 1,000 clips of 30 s (7 x 1,024 numbers each)"),
        (["model=openai/whisper-large-v3"], "384.0 MB per 1,000 clips of 30 s (1,280 x 150"),
        (["model=some/other"], "not known: Whisper model 'some/other' is not on this machine"),
    ],
)
def test_show_tells_the_size(mgc, settings: list[str], size: str) -> None:
    told = mgc(
        "features", "show", "whisper", *[t for s in settings for t in ("--set", s)], "--json"
    )
    assert told.code == 0, told.err
    assert told.json["size"].startswith(size)
    default = not any(setting.startswith("model=") for setting in settings)
    assert told.json["licence"] == ("Apache-2.0" if default else "")


def test_show_refuses_a_layer_that_is_not_there(mgc) -> None:
    told = mgc("features", "show", "whisper", "--set", "layer=7")
    assert told.code == 2
    assert "its layers are 0 to 6" in told.err
