"""The installed packages that provide plug-ins, and those that conflict with ``mgc-music``.

An unrelated project has the import name ``mgc`` too, and ``mgc`` was the name of this
package before it became ``mgc-music``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint, distributions

GROUP = "mgc"
PACKAGE = "mgc-music"
FORMER = "mgc"  # this package's former name, and the unrelated project's
#: What fingerprints, runs and heads record as the owner of what ships with mgc. It never changes.
BUILTIN_OWNER = "mgc"
BUILTIN = EntryPoint("builtin", "mgc.plugins.builtin", GROUP)
REINSTALL = f"pip install --force-reinstall --no-deps {PACKAGE}"
_NEEDS_FORMER = re.compile(
    rf"^Requires-Dist: *{FORMER}(?![\w.-])(?!.*;.*\bextra\b)", re.MULTILINE | re.IGNORECASE
)

Origin = tuple[str, str]  # a distribution's name and version


def package_of(owner: str) -> str:
    """The package to install for a recorded owner."""
    return PACKAGE if owner == BUILTIN_OWNER else owner


def owner_of(package: str) -> str:
    """The owner to record for a package."""
    return BUILTIN_OWNER if package == PACKAGE else package


def way_out_of(owner: str) -> str:
    """What to do if a package cannot be imported; ours has had its files replaced or removed."""
    return f"Run: {REINSTALL}" if owner == BUILTIN_OWNER else f"update or remove {owner}"


def entry_points() -> Iterator[tuple[EntryPoint | None, Origin, str]]:
    """Every entry point of the group with its owner and the folder (``dist-info``) that names it.

    ``importlib.metadata.entry_points`` reads all distributions in one go and fails on a damaged
    entry_points.txt; here, such a distribution yields None instead of entry points. If a
    distribution is on sys.path twice (a source tree and its install), the first counts, as for
    imports. This package under its former name counts only if it is not installed under the new
    one.
    """
    seen: dict[str, Origin] = {}
    for distribution in distributions():
        if not _brings_plugins(distribution):
            continue
        name, version = _origin(distribution)
        if name in seen:
            continue
        origin = seen[name] = (owner_of(name), version)
        if name == FORMER:
            continue
        try:
            points = distribution.entry_points.select(group=GROUP)
            info = str(getattr(distribution, "_path", ""))
            yield from [(point, origin, info) for point in points]
        except Exception:
            yield None, origin, ""
    if FORMER in seen and PACKAGE not in seen:
        yield BUILTIN, seen[FORMER], ""


def name_clash() -> str:
    """One line about an installed package named ``mgc`` and how to remove it; empty if none is."""
    for distribution in distributions(name=FORMER):
        whose = (
            f"is {PACKAGE} under its former name"
            if _brings_plugins(distribution)
            else f"belongs to another project and shares its import name with {PACKAGE}"
        )
        return (
            f"The installed package {' '.join(_origin(distribution)).strip()} {whose}. "
            f"Run: pip uninstall {FORMER}, then: {REINSTALL}"
        )
    return ""


def needing_former() -> list[Origin]:
    """The installed packages that depend on ``mgc``, which is no longer this package."""
    found = set()
    for distribution in distributions():
        headers = _text(distribution, "METADATA").partition("\n\n")[0]
        if _NEEDS_FORMER.search(headers):
            found.add(_origin(distribution))
    return sorted(origin for origin in found if origin[0] not in (FORMER, PACKAGE))


def _brings_plugins(distribution: Distribution) -> bool:
    return f"[{GROUP}]" in _text(distribution, "entry_points.txt")


def _text(distribution: Distribution, name: str) -> str:
    """A file of a distribution, "" if it has none; what is not UTF-8 in it is replaced."""
    try:
        return distribution.read_text(name) or ""
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")


def _origin(distribution: Distribution) -> Origin:
    try:
        return distribution.metadata["Name"] or "(unnamed)", distribution.version or ""
    except Exception:  # METADATA is missing or damaged: an uninstall stopped half-way
        return "(unnamed)", ""
