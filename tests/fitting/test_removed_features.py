"""Features that another process removes while a fit is in progress are made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import mgc
from mgc import fitting
from mgc.datasets.table import Dataset
from mgc.fitting import FitRequest
from mgc.progress import Silent


class _Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def _request(dataset: Dataset) -> FitRequest:
    [made] = fitting.requests(
        data=dataset,
        extractors=["mfcc"],
        heads=["logistic"],
        folds=0,
        seeds=[0],
        assignments=[],
        command=["mgc"],
    )
    return made


@pytest.mark.parametrize("all_of_them", [True, False])
def test_features_that_are_removed(mgc_home: Path, music: Path, all_of_them: bool) -> None:
    request, told = _request(mgc.datasets.add("mine", music)), _Told()
    ready = fitting.prepare_for([request], told)[request.features]
    before = fitting.fit(request, told, ready).predictions
    request.source.store.refresh()  # no shard is mapped any more
    assert len(request.source.store.rows) == 30
    if all_of_them:
        shutil.rmtree(request.source.store.folder)
    else:
        next(request.source.store.folder.glob("*.safetensors")).unlink()
    again = fitting.fit(request, told, ready).predictions
    assert again.drop(columns="path").equals(before.drop(columns="path"))
    wanted = "removed mfcc features that are needed here. Extracting 30 tracks again."
    assert any(wanted in line for line in told.said)
