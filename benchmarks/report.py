"""Results as JSON, and as tables in a page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, Section

BEGIN, END = "<!-- benchmarks begin -->", "<!-- benchmarks end -->"
PACKAGES = (
    "mgc",
    "numpy",
    "torch",
    "soundfile",
    "soxr",
    "librosa",
    "torchaudio",
    "pyAudioAnalysis",
)


def machine() -> dict[str, Any]:
    """What was measured on."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def as_json(facts: dict[str, Any], sections: Sequence[Section]) -> str:
    """Everything that was measured."""
    record = {"machine": facts, "sections": [asdict(section) for section in sections]}
    return json.dumps(record, indent=2) + "\n"


def as_markdown(facts: dict[str, Any], sections: Sequence[Section]) -> str:
    """Tables."""
    noise = facts["load_before"]
    lines = [
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, "
        f"Python {facts['python']}, torch {facts.get('torch')}, librosa {facts.get('librosa')}, "
        f"soundfile {facts.get('soundfile')}; load before the run {noise}.",
        "",
    ]
    for section in sections:
        lines += [f"### {section.title}", "", section.text, ""]
        lines += ["| | median | middle half | × | of | |", "|---|--:|--:|--:|---|---|"]
        lines += [_line(row) for row in section.rows]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    spread = (
        "" if row.low is None or row.high is None else f"{_short(row.low)} – {_short(row.high)}"
    )
    ratio = "" if row.ratio is None or row.against == row.name else f"{row.ratio:.2f}"
    of = row.against if ratio else ""
    value = f"{_short(row.value)} {row.unit}"
    return f"| {row.name} | {value} | {spread} | {ratio} | {of} | {row.note} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_into(page: Path, tables: str) -> None:
    """Put the tables between the marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}")
