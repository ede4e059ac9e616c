"""``mgc heads``."""

from __future__ import annotations

from collections.abc import Callable


def test_show_tells_parameters(mgc: Callable) -> None:
    told = mgc("heads", "show", "logistic", "--json")
    assert told.code == 0
    assert told.json["params"][0]["name"] == "C"


def test_show_for_an_extractor_tells_layers_and_costs(mgc: Callable) -> None:
    told = mgc("heads", "show", "cnn", "--for", "chroma", "--genres", 5)
    assert told.code == 0, told.err
    assert "Parameters:" in told.out
    assert "Multiply-adds" in told.out
    assert "[1, 5]" in told.out


def test_an_estimator_has_no_layers(mgc: Callable) -> None:
    told = mgc("heads", "show", "svm", "--for", "mfcc")
    assert told.code == 2
    assert "no layers" in told.err


def test_an_unknown_head_names_the_nearest(mgc: Callable) -> None:
    told = mgc("heads", "show", "cn")
    assert told.code == 2
    assert "'cnn'" in told.err
