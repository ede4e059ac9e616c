"""`list` and `show` of plug-ins, the same for features, heads and strategies."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mgc.cli.ui import output
from mgc.home import model_folder, weights_here
from mgc.plugins.licences import with_limits

if TYPE_CHECKING:
    from mgc.plugins import registry
    from mgc.plugins.contract import PluginInfo


def show_list(kind: str, as_json: bool) -> None:
    """All plug-ins of a kind with their status; problems are listed below."""
    from mgc.plugins import registry

    catalogue = registry.catalogue()
    entries = catalogue.entries(kind)
    if as_json:
        output.emit_json([describe(entry) | {"status": _status(entry)} for entry in entries])
    else:
        rows = [(e.info.name, _described(e.info), _origin(e), _status(e)) for e in entries]
        output.show_table(["name", "what it is", "from", "status"], rows)
        for entry in entries:
            if entry.problem:
                output.say(f"{entry.info.name}: {entry.problem}. {entry.hint}")
    for plugin in catalogue.broken():
        output.note(
            f"Plug-in {plugin.distribution} ({plugin.module}) is broken: {plugin.problem}. "
            f"{plugin.hint}"
        )


def describe(entry: registry.Entry) -> dict[str, Any]:
    """A catalogue entry as JSON."""
    return {
        **asdict(entry.info),
        "distribution": entry.distribution,
        "version": entry.version,
        "status": entry.status,
        "problem": entry.problem,
        "hint": entry.hint,
    }


def show_one(kind: str, name: str, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """One plug-in: its record, with ``more`` in its place, and its parameters with types and
    defaults."""
    from mgc.plugins import params, registry
    from mgc.plugins.contract import LISTINGS

    entry = registry.find(kind, name)
    implementation = registry.load(entry)
    cls = params.params_class(implementation)
    described = params.describe(cls)
    if as_json:
        parameters = [{"name": n, "type": t, "default": d} for n, t, d in described]
        output.emit_json({**describe(entry), **(more or {}), "params": parameters})
        return
    output.say(f"{entry.info.name}: {entry.info.summary}")
    facts = {**asdict(entry.info), "from": _origin(entry), **(more or {})}
    told = {k: v for k, v in facts.items() if k not in ("name", "summary") and v}
    if "licence" in told:
        told["licence"] = with_limits(told["licence"])
    output.show_table(["property", "value"], [(k, _plain(v)) for k, v in told.items()])
    if described:
        rows = [(n, t, repr(d)) for n, t, d in described]
        output.show_table(["parameter (--set)", "type", "default"], rows)
    words = inspect.getdoc(implementation)
    if words:
        output.say(words)
    output.note(f"Others: {LISTINGS[kind]}")


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _described(info: PluginInfo) -> str:
    """The summary, the licence of the weights, and the corpora that they were trained on."""
    corpora = ", ".join(getattr(info, "pretrained_on", ()))
    facts = with_limits(getattr(info, "licence", "")), corpora and f"trained on {corpora}"
    known = "; ".join(filter(None, facts))
    return info.summary + (f" (weights: {known})" if known else "")


def _status(entry: registry.Entry) -> str:
    """The status, or what to run if only the weights, or a model's files, are missing."""
    if entry.kind == "model" and entry.status == "ready":
        here = model_folder(entry.info.name).is_dir()
        return "ready" if here else f"not here: mgc models get {entry.info.name}"
    weights = getattr(entry.info, "weights", "")
    if entry.status != "ready" or weights_here(weights):
        return entry.status
    return f"weights missing: mgc features fetch {entry.info.name}"


def _origin(entry: registry.Entry) -> str:
    return f"{entry.distribution} {entry.version}".strip()
