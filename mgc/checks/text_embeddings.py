"""The check of an extractor that embeds text, too, so that genres can be given by name."""

from __future__ import annotations

import math
from typing import Any

import torch

from mgc.checks import require
from mgc.checks.base import NotApplicable, Problem, Subject
from mgc.checks.extractor_calls import heard, numbers, ready, source, tensor_of

TEXTS = ("dub techno", "a slow bolero with strings, sung by a woman", "drums")
ROUNDING = 2e-3  # of the deviation: how much the texts beside it may change a text's numbers


def check_text(subject: Subject) -> None:
    """Text, if it is embedded, has numbers of its own in the space of the audio's vectors."""
    if not hasattr(subject.implementation, "embed_text"):
        raise NotApplicable("it does not embed text")
    ready(subject)
    _rows_are_vectors(subject)
    _scale_and_prompts(subject)
    _each_text_is_heeded(subject)


def _rows_are_vectors(subject: Subject) -> None:
    made = _embedded(subject, TEXTS)
    if source(subject).kind != "vector":
        mend = "offer embed_text for a vector per clip only"
        raise Problem("kind='vector' beside embed_text", repr(source(subject).kind), mend)
    wanted = (len(TEXTS), heard(subject).shape[-1])
    shape = tuple(made.shape)
    if made.dtype != torch.float32 or shape != wanted:
        mend = "return the text tower's projection, (text, dimension), .float()"
        got = f"{made.dtype} {shape}"
        raise Problem(f"torch.float32 {wanted} for {len(TEXTS)} texts", got, mend)
    require.finite(numbers(made), "texts", "mask the padding, and guard divisions by 0")


def _scale_and_prompts(subject: Subject) -> None:
    scale = float(getattr(source(subject).extractor, "logit_scale", math.nan))
    if not 0 < scale < math.inf:
        mend = "offer logit_scale: what the model multiplied cosines by, such as exp(logit_scale_a)"
        raise Problem("a positive logit_scale", str(scale), mend)
    for prompt in getattr(subject.implementation, "prompts", ("{}",)):
        if prompt.format("dub techno") == prompt.format("bolero"):
            raise Problem("{} in each prompt", repr(prompt), "write {} for the name")


def _each_text_is_heeded(subject: Subject) -> None:
    together = _embedded(subject, TEXTS)
    if len({row.numpy().tobytes() for row in together.cpu()}) < len(TEXTS):
        mend = "the result does not depend on the text"
        raise Problem("other numbers for another text", "the same", mend)
    mend = "no dropout (call .eval()); pass the tokenizer's attention mask on"
    again = _embedded(subject, TEXTS)
    require.same(numbers(together), numbers(again), "the same bytes for the same texts", mend)
    alone = torch.cat([_embedded(subject, [text]) for text in TEXTS])
    expected = "a text beside longer ones equal to the same text alone"
    require.same(numbers(alone), numbers(together), expected, mend, share=ROUNDING)


def _embedded(subject: Subject, texts: Any) -> torch.Tensor:
    extractor: Any = source(subject).extractor
    with torch.inference_mode():
        return tensor_of(extractor.embed_text(list(texts)))
