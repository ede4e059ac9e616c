"""Weights of a transformers model on this machine: found, identified, loaded; for plug-ins.

Safetensors only: a pickle can run any code when it is read. No code from the hub is run either.
Only `Weights.fetch` uses the network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mgc import MgcError
from mgc.audio.file_cache import Stamp, stamp

T = TypeVar("T")

CONFIG = "config.json"
WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
#: What every model needs: its shape, how its input is made, and its tensors. No
#: ``*.safetensors``: some repositories keep a second copy of the weights beside the first.
WANTED = (CONFIG, "preprocessor_config.json", WHOLE, INDEX, "model-*-of-*.safetensors")
#: Excludes anything that is absolute, starts with a dot or goes deeper than owner/name.
HUB_NAME = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")
#: The account that opens Hugging Face's pull requests with weights converted to safetensors.
CONVERTER = "SFconvertbot"


@dataclass(frozen=True)
class Weights:
    """A model in transformers' format: a hub name, at a ``revision``, or a local folder.

    ``extractor`` is the extractor that needs it, for messages; ``more`` names further files it
    needs from the repository (a tokenizer's).
    """

    noun: ClassVar[str] = "Model"  # what messages call it
    extractor: str
    model: str
    revision: str | None = None
    more: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> Path:
        """The local folder, or the model's place in Hugging Face's cache.

        Raises MgcError, naming the command that fetches it, if it is not on this machine.
        """
        folder = Path(self.model).expanduser()
        if folder.is_dir():
            return folder
        if HUB_NAME.fullmatch(self.model) is None:
            raise MgcError(
                f"There is no folder {folder.absolute()} with a model.",
                "Check the path, or use a model by its hub name: --set model=OWNER/NAME",
            )
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.constants import HF_HUB_CACHE

        config = try_to_load_from_cache(self.model, CONFIG, revision=self.revision)
        if not isinstance(config, str):
            raise MgcError(
                f"{self.noun} {self.model!r} is not on this machine (looked in {HF_HUB_CACHE}).",
                f"Fetch it once: {self.command} (or name a folder that has its config.json and "
                "model.safetensors: --set model=FOLDER)",
            )
        return Path(config).parent

    @property
    def command(self) -> str:
        """What to type to get the weights."""
        asked = f"mgc features fetch {self.extractor} --set model={self.model}"
        return f"{asked} --set revision={self.revision}" if self.revision else asked

    @property
    def remedy(self) -> str:
        """What to do if a file is missing or damaged."""
        if self._on_hub:
            return f"Fetch it again: {self.command}"
        return f"Get another copy of the model: {CONFIG} and {WHOLE}, as transformers saves them."

    @property
    def _on_hub(self) -> bool:
        named = HUB_NAME.fullmatch(self.model) is not None
        return named and not Path(self.model).expanduser().is_dir()

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.json``. Raises MgcError if it cannot be read."""
        return self._read(CONFIG, dict)

    def _read(self, name: str, pick: Callable[[Any], T]) -> T:
        """What ``pick`` takes from a JSON file."""
        path = self.folder / name
        try:
            return pick(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MgcError(f"{path} cannot be read: {error}.", self.remedy) from error

    def check_type(self, types: Iterable[str]) -> None:
        """Raise MgcError if the model is not from a family that the extractor supports."""
        found = self.config.get("model_type")
        if found not in tuple(types):
            raise MgcError(
                f"{self.folder / CONFIG} describes a {found!r} model; extractor {self.extractor} "
                f"takes {', '.join(types)}.",
                "Choose the extractor for that family: mgc features list",
            )

    @cached_property
    def files(self) -> list[Path]:
        """The safetensors files: one, or the shards that the index names.

        Raises MgcError if one is missing, or if there are only pickles.
        """
        if (self.folder / WHOLE).is_file():
            return [self.folder / WHOLE]
        if (self.folder / INDEX).is_file():
            return self._shards()
        pickles = ", ".join(sorted(path.name for path in self.folder.glob("*.bin")))
        if pickles:
            raise _unsafe(self, f"has its weights as {pickles} only: a pickle")
        raise MgcError(f"{self.folder} has no {WHOLE}.", self.remedy)

    def _shards(self) -> list[Path]:
        names = self._read(INDEX, lambda index: sorted(set(index["weight_map"].values())))
        shards = [self.folder / Path(name).name for name in names]
        if missing := [shard.name for shard in shards if not shard.is_file()]:
            raise MgcError(
                f"{self.folder} is incomplete: {', '.join(missing)}, named in {INDEX}, is missing.",
                self.remedy,
            )
        return shards

    def digest(self) -> str:
        """SHA-256 of the config and the weights."""
        paths = [self.folder / CONFIG, *self.files]
        return _digest(tuple((path, stamp(path)) for path in paths))

    def load(self, cls: Any, config: Any = None) -> Any:
        """The model of a transformers class, ready to evaluate, in float32.

        Raises MgcError if the weights do not fill the model: what is missing would otherwise
        be drawn at random.
        """
        from transformers.utils import logging

        self.files  # noqa: B018 - raises if there is nothing to read
        shown, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            model, info = cls.from_pretrained(
                self.folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="float32",
                output_loading_info=True,
            )
        except Exception as error:  # safetensors, transformers and torch each raise their own
            reason = " ".join(str(error).split())
            raise MgcError(f"{self.folder} cannot be loaded: {reason}", self.remedy) from error
        finally:
            logging.set_verbosity(shown)
            if bars:
                logging.enable_progress_bar()
        # Used only in pre-training, and missing from some copies.
        missing = sorted(set(info["missing_keys"]) - {"masked_spec_embed"})
        if missing:
            raise MgcError(
                f"{self.folder} has no {', '.join(missing[:3])} ({len(missing)} tensors are "
                f"missing): it is not a complete {cls.__name__}.",
                self.remedy,
            )
        return model.eval().requires_grad_(False)

    def fetch(self) -> Path:
        """Download config and safetensors; a local folder is only checked. Return the folder."""
        if self._on_hub:
            self._download()
        self.config, self.files  # noqa: B018 - raises if the model is incomplete
        return self.folder

    def _download(self) -> None:
        from huggingface_hub import snapshot_download

        try:
            wanted = [*WANTED, *self.more]
            snapshot_download(self.model, revision=self.revision, allow_patterns=wanted)
        except Exception as error:  # the hub's errors have no other common base class
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise MgcError(
                f"{self.noun} {self.model!r} could not be fetched: {reason}",
                "Check the name and the connection (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and "
                "HTTPS_PROXY are respected), or bring a folder with the model's config.json and "
                "model.safetensors to this machine: --set model=FOLDER",
            ) from error
        if not list(self.folder.glob("model*.safetensors")):
            raise _unsafe(
                self, f"has no {WHOLE} and no safetensors in parts", converted_at(self.model)
            )


@lru_cache
def _digest(stamps: tuple[tuple[Path, Stamp | None], ...]) -> str:
    """Reads every byte; cached until the size or time of a file changes."""
    digest = hashlib.sha256()
    for path, _ in stamps:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def converted_at(model: str) -> str | None:
    """The revision with Hugging Face's own conversion to safetensors, such as ``refs/pr/3``."""
    from huggingface_hub import HfApi

    try:
        for found in HfApi().get_repo_discussions(model, author=CONVERTER):
            if found.is_pull_request and "safetensors" in found.title.lower():
                return found.git_reference
    except Exception:  # all that is lost is a better hint
        return None
    return None


def _unsafe(weights: Weights, what: str, revision: str | None = None) -> MgcError:
    convert = (
        "if you trust its pickle, convert it with transformers: "
        "AutoModel.from_pretrained(NAME).save_pretrained(FOLDER), then --set model=FOLDER"
    )
    if revision:
        again = replace(weights, revision=revision).command
        convert = f"{again} (converted by {CONVERTER}); or, {convert}"
    return MgcError(
        f"{weights.noun} {weights.model!r} {what}; mgc never reads pickle files, "
        "which can run any code.",
        convert[0].upper() + convert[1:],
    )
