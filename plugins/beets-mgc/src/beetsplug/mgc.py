"""Genres by mgc, on import or with ``beet mgc``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beets import ui
from beets.dbcore import types
from beets.library import Item
from beets.plugins import BeetsPlugin

#: beets 2.4 made one field of several genres.
SEVERAL = "genres" in Item._fields


class MgcPlugin(BeetsPlugin):  # type: ignore[misc]
    """Asks a run of mgc for the genre of each item."""

    item_types = {"mgc_probability": types.FLOAT}  # noqa: RUF012 - as beets declares it

    def __init__(self) -> None:
        super().__init__("mgc")
        self.config.add(
            {"run": "", "at_least": 0.5, "unknown": 0.01, "auto": True, "replace": False}
            | {"coverage": 0.0}
        )
        self._model: Any = None
        if self.config["auto"].get(bool):
            self.import_stages = [self._imported]

    def commands(self) -> list[ui.Subcommand]:
        """``beet mgc [QUERY]``."""
        command = ui.Subcommand("mgc", help="ask mgc for the genres of items")
        command.parser.add_option(
            "-p", "--pretend", action="store_true", help="show genres, change nothing"
        )
        command.parser.add_option(
            "-f", "--force", action="store_true", help="over another genre, too"
        )
        command.func = self._command
        return [command]

    def _command(self, lib: Any, options: Any, words: list[str]) -> None:
        force = options.force or self.config["replace"].get(bool)
        self._ask(lib.items(words), write=ui.should_write(), pretend=options.pretend, force=force)

    def _imported(self, session: Any, task: Any) -> None:
        force = self.config["replace"].get(bool)
        self._ask(task.imported_items(), write=ui.should_write(), pretend=False, force=force)

    def _ask(self, items: Iterable[Any], *, write: bool, pretend: bool, force: bool) -> None:
        waiting = [item for item in items if force or not _genres(item)]
        if not waiting:
            return
        import mgc  # here, so that beets' other commands do not wait for it

        try:
            model = self._loaded()
            paths = [Path(os.fsdecode(item.path)) for item in waiting]
            answers = model.predict_many(paths, unknown=self.config["unknown"].as_number())
            for item, answer in zip(waiting, answers, strict=True):
                self._take(item, answer, write=write and not pretend, pretend=pretend)
        except mgc.MgcError as error:
            raise ui.UserError(f"mgc: {error.message} {error.hint}") from error

    def _loaded(self) -> Any:
        import mgc

        name = self.config["run"].as_str()
        if not name:
            raise ui.UserError(
                "mgc: which run? Say it in the configuration, as 'mgc: {run: NAME}'; "
                "a ready-made one: mgc models get musicnn-msd"
            )
        self._model = self._model or mgc.load(name)
        return self._model

    def _take(self, item: Any, answer: Any, *, write: bool, pretend: bool) -> None:
        at_least = self.config["at_least"].as_number()
        if answer.error:
            self._log.warning("{}", answer.error)
        elif answer.known is False or answer.remark:
            self._log.info("{}: unknown", item)
        elif answer.probability < at_least:
            self._log.info("{}: {} {:.0%}, too unsure", item, answer.genre, answer.probability)
        elif pretend:
            ui.print_(f"{item}: {answer.genre} {answer.probability:.0%}")
        else:
            coverage = self.config["coverage"].as_number()
            genres = answer.genres_at(coverage) if coverage else [answer.genre]
            item.update({"genres": genres} if SEVERAL else {"genre": ", ".join(genres)})
            item["mgc_probability"] = round(answer.probability, 3)
            item.store()
            if write:
                item.try_write()


def _genres(item: Any) -> Any:
    return item.get("genres" if SEVERAL else "genre")
