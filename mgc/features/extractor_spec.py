"""An extractor with its parameters and clip policy: all that determines a feature's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mgc.audio.clip_policy import ClipPolicy
from mgc.errors import MgcError, in_words
from mgc.features.store import FeatureStore
from mgc.plugins import params as plugin_params
from mgc.plugins.contract import Extractor, ExtractorInfo, FeatureKind
from mgc.plugins.distributions import BUILTIN_OWNER
from mgc.plugins.plugin_spec import PluginSpec

if TYPE_CHECKING:
    from mgc.heads.pooling import Pooling


BASES = "bases"  # in the identity of a store: it holds the poolings themselves


@dataclass(frozen=True)
class ExtractorSpec(PluginSpec):
    """One requested extractor, with the clips that it hears; travels to worker processes.

    With ``poolings``, each clip of a sequence is stored as its vectors under each of them: float32
    (pooling, dimension).
    """

    kind_of_plugin: ClassVar[str] = "extractor"

    policy: ClipPolicy = field(default_factory=ClipPolicy)
    device: str = "cpu"
    poolings: tuple[Pooling, ...] = field(default=(), compare=False)

    def __getstate__(self) -> dict[str, Any]:
        # What is cached (a model, a store) stays in the process that made it.
        names = ("name", "settings", "policy", "device", "poolings")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def info(self) -> ExtractorInfo:
        """What the extractor declares."""
        assert isinstance(self.entry.info, ExtractorInfo)
        return self.entry.info

    @cached_property
    def extractor(self) -> Extractor:
        """The extractor itself."""
        try:
            made: Extractor = self.implementation(self.params, self.device)
        except (MgcError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too: a plug-in may do anything
            raise MgcError(
                f"extractor {self.name!r} of {self.entry.distribution} cannot be set up "
                f"({in_words(error)}).",
                f"Run: mgc plugins check {self.name}",
            ) from error
        return made

    @property
    def texture(self) -> ExtractorSpec:
        """The extractor of the texture of the same clips, on the same device."""
        return replace(self, name="texture", settings={}, poolings=())

    @property
    def is_built_in(self) -> bool:
        """Whether the extractor ships with mgc."""
        return self.entry.distribution == BUILTIN_OWNER

    @property
    def kind(self) -> FeatureKind:
        """The kind of feature for these parameters."""
        extractor = self.extractor
        with self.blamed("kind"):
            kind: FeatureKind = getattr(extractor, "kind", self.info.kind)
            return kind

    def of_weights(self, fact: Literal["licence", "pretrained_on"]) -> Any:
        """A fact about these parameters' weights; empty for another ``model`` than the default."""
        known = getattr(self.info, fact)
        default = plugin_params.params_class(self.implementation)()
        if getattr(self.params, "model", None) != getattr(default, "model", None):
            known = type(known)()
        with self.blamed(fact):
            return getattr(self.extractor, fact, known)

    def frame_count(self, samples: int) -> int:
        """Valid frames of a clip of this many samples at the extractor's rate."""
        own = getattr(self.extractor, "frame_count", None)
        return int(own(samples)) if own else 1 + samples // self.info.hop_samples

    @cached_property
    def store(self) -> FeatureStore:
        """The store of these features."""
        return FeatureStore(self.name, self.identity())

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers; the fingerprint is made from it."""
        from mgc.audio.decoding import DECODER

        own = getattr(self.implementation, "identity", None)
        with self.blamed("identity"):
            weights = own(self.extractor) if own else None
        pooled = {"pooled": self._pooled()} if self.poolings else {}
        return {
            **pooled,
            "extractor": self.name,
            "distribution": self.entry.distribution,
            "revision": self.info.revision,
            "params": plugin_params.as_dict(self.params),
            "sample_rate": self.info.sample_rate,
            "clip_seconds": self.policy.seconds,
            "clips_per_track": self.policy.per_track,
            "decoder": DECODER,
            "weights": weights,
        }

    def _pooled(self) -> list[Any]:
        from mgc.heads import pooling

        return [pooling.REVISION, *(one.digest for one in self.poolings)]
