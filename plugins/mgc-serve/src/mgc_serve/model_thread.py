"""The one thread that asks the models: what has come meanwhile is answered together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

import mgc
from mgc_serve.work import MODELS, stamp

MAX_BATCH = 32
#: Makes the answer to a request of what was predicted, in this thread.
Finish = Callable[[mgc.Model, mgc.Prediction], Any]


@dataclass(frozen=True)
class Question:
    """Features, of which run an answer is wanted, and how it is finished."""

    run: mgc.Run
    features: mgc.Features
    unknown: float
    finish: Finish
    answer: Future[Any] = field(default_factory=Future)

    @property
    def key(self) -> tuple[str, float]:
        """Questions of the same key can be answered together."""
        return str(self.run.folder), self.unknown


class ModelThread:
    """Answers questions in one thread, up to `MAX_BATCH` of them at once."""

    def __init__(self, observe: Callable[[int], None]) -> None:
        self.observe = observe
        self.models: OrderedDict[tuple[str, int], mgc.Model] = OrderedDict()
        self.questions: SimpleQueue[Question | None] = SimpleQueue()
        self.thread = Thread(target=self._run, name="model", daemon=True)
        self.thread.start()

    def ask(self, question: Question) -> Future[Any]:
        """The answer to a question, when it is there."""
        self.questions.put(question)
        return question.answer

    def close(self) -> None:
        """Answer what has been asked, then end."""
        self.questions.put(None)
        self.thread.join()

    def _run(self) -> None:
        while first := self.questions.get():
            batch: list[Question] = [first]
            ends = False
            while len(batch) < MAX_BATCH and not self.questions.empty() and not ends:
                more = self.questions.get()
                ends = more is None
                batch += [more] if more else []
            for key in dict.fromkeys(question.key for question in batch):
                self._answer([question for question in batch if question.key == key])
            if ends:
                return

    def _answer(self, batch: list[Question]) -> None:
        batch = [one for one in batch if one.answer.set_running_or_notify_cancel()]
        if not batch:
            return
        self.observe(len(batch))
        try:
            self._answer_together(batch)
        except Exception as error:
            for one in batch:  # only the one that is to blame fails
                try:
                    self._answer_together([one])
                except Exception as own:
                    one.answer.set_exception(own if len(batch) > 1 else error)

    def _answer_together(self, batch: list[Question]) -> None:
        model = self._model(batch[0].run)
        made = model.predict_features([one.features for one in batch], unknown=batch[0].unknown)
        for one, prediction in zip(batch, made, strict=True):
            if not one.answer.done():
                one.answer.set_result(one.finish(model, prediction))

    def _model(self, run: mgc.Run) -> mgc.Model:
        key = str(run.folder), stamp(run.folder)
        if key not in self.models:
            self.models[key] = mgc.load(run.folder, device="cpu")
            while len(self.models) > MODELS:
                self.models.popitem(last=False)
        self.models.move_to_end(key)
        return self.models[key]
