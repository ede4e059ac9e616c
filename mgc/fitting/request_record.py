"""Writes how a run was made into its ``run.json``, and reads it back."""

from __future__ import annotations

from typing import Any

from mgc.datasets import grouping, splits
from mgc.errors import MgcError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting.prepared import Prepared, doubts, make_folds
from mgc.fitting.request import FitRequest
from mgc.plugins.params import as_dict
from mgc.runs import Run
from mgc.runs.models import load_source
from mgc.training import HeadSpec


def describe(request: FitRequest, prepared: Prepared) -> dict[str, Any]:
    """The request with all defaults filled in, and what was left out."""
    dataset = request.dataset
    folds = make_folds(dataset, request.folds, request.seed)
    by = dataset.record.get("group_by", "none")
    return {
        "kind": "single",
        "command": list(request.command),
        "dataset": {
            "name": dataset.name,
            "genres": dataset.genres,
            "tracks": len(prepared.kept),
            "folds": request.folds,
            "group_by": by,
            "group_known": grouping.known(prepared.kept, by),
            "own_folds": request.folds > 0 and request.folds == dataset.record.get("folds"),
            "doubts": doubts(dataset, folds),
            "split": splits.split_hash(dataset.tracks, folds),
            "left_out": dict(dataset.record.get("left_out", {})),
            "quarantined": prepared.quarantined,
        },
        "extractor": _extractor(request.source),
        "head": _head(request.head),
        "seed": request.seed,
        "device": request.device,
        "include_bad": request.include_bad,
        "failures": [{"path": str(f.path), "reason": f.reason} for f in prepared.failures],
    }


def _extractor(source: ExtractorSpec) -> dict[str, Any]:
    return {
        "name": source.name,
        "distribution": source.entry.distribution,
        "version": source.entry.version,
        "settings": dict(source.settings),
        "identity": source.identity(),
        "fingerprint": source.store.fingerprint,
    }


def _head(head: HeadSpec) -> dict[str, Any]:
    gradient = head.info.trained_by == "gradient"
    return {
        "name": head.name,
        "distribution": head.entry.distribution,
        "version": head.entry.version,
        "settings": dict(head.settings),
        "training_settings": dict(head.training_settings),
        "params": as_dict(head.params),
        "training": as_dict(head.training) if gradient else None,
    }


def load_request(run: Run, dataset: Any) -> FitRequest:
    """The request that a run was started with, on the dataset as it is now.

    Raises MgcError if the dataset's split has changed since.
    """
    record = run.record
    asked = record.head
    request = FitRequest(
        dataset,
        load_source(run, record.device),
        HeadSpec(asked.name, asked.settings, asked.training_settings),
        record.dataset.folds,
        record.seed or 0,
        record.device,
        record.include_bad,
        record.command,
    )
    folds = make_folds(dataset, request.folds, request.seed)
    if splits.split_hash(dataset.tracks, folds) != record.dataset.split:
        raise MgcError(
            f"Dataset {dataset.name!r} has changed since run {run.name!r} began.",
            "Fit again: its folds are no longer the same.",
        )
    return request
