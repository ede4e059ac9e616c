"""A plug-in as requested: a name, and parameters to be checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

from mgc.errors import MgcError, UsageError, in_words
from mgc.plugins import params as plugin_params
from mgc.plugins import registry


@dataclass(frozen=True)
class PluginSpec:
    """What requests for an extractor, a head and a strategy have in common.

    Built from plain values; nothing is looked up before it is used. Each property raises MgcError
    if the plug-in, its code or a parameter does not exist.
    """

    kind_of_plugin: ClassVar[str]

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def entry(self) -> registry.Entry:
        """The entry in the catalogue."""
        return registry.find(self.kind_of_plugin, self.name)

    @property
    def info(self) -> Any:
        """What the plug-in declares."""
        return self.entry.info

    @cached_property
    def implementation(self) -> Any:
        """The plug-in's class, imported on first use."""
        return registry.load(self.entry)

    @contextmanager
    def blamed(self, method: str) -> Iterator[None]:
        """Turn whatever the plug-in's code raises into an MgcError that names it; SystemExit too.

        Ctrl-C passes.
        """
        try:
            yield
        except (MgcError, KeyboardInterrupt):
            raise
        except BaseException as error:
            reason = " ".join(in_words(error).split()).rstrip(".")
            raise self.failure(f"failed in {method}: {reason}.") from error

    def failure(self, what: str) -> MgcError:
        """The error for a plug-in that did ``what``."""
        kind, entry = self.kind_of_plugin.capitalize(), self.entry
        return MgcError(
            f"{kind} {self.name!r} ({entry.distribution} {entry.version}) {what}",
            f"Run: mgc plugins check {self.name}",
        )

    @cached_property
    def params(self) -> Any:
        """The parameters, checked, with the defaults filled in."""
        implementation = self.implementation
        with self.blamed("Params"):
            cls = plugin_params.params_class(implementation)
            try:
                return plugin_params.build(cls, self.settings, f"{self.kind_of_plugin} {self.name}")
            except UsageError as error:
                if self.settings:
                    raise
                raise ValueError(error.message) from error  # its own defaults

    def check(self) -> None:
        """Find, import and check everything now. Raises MgcError."""
        _ = self.params

    def recorded(self) -> dict[str, Any]:
        """What a run says of it, beside its parameters."""
        return {
            "name": self.name,
            "distribution": self.entry.distribution,
            "version": self.entry.version,
            "settings": dict(self.settings),
        }

    def parameters(self) -> list[str]:
        """The names of its parameters."""
        implementation = self.implementation
        with self.blamed("Params"):
            return [field.name for field in fields(plugin_params.params_class(implementation))]


@contextmanager
def postponed() -> Iterator[None]:
    """Leave the failure of a plug-in to whoever uses it next, so that others go on; a UsageError
    is raised."""
    try:
        yield
    except UsageError:
        raise
    except MgcError:
        pass


def any_spec(kind: str, name: str) -> PluginSpec:
    """The spec of a plug-in of any kind, without the code that uses such a kind."""
    spec: PluginSpec = type("Spec", (PluginSpec,), {"kind_of_plugin": kind})(name)
    return spec
