"""Tables as text, each writer against what its readers expect."""

import csv
import io

import pytest

from mgc.evaluation.text_tables import (
    Table,
    comma_separated,
    latex,
    markdown,
    markdown_lines,
    pipes_escaped,
    plain,
)

TABLE = Table("F1", ["genre", "a_b"], [["hip|hop", "0.5"], ["rock & roll", None]], best=0)


def test_plain_columns_are_as_wide_as_their_widest_cell() -> None:
    assert plain(TABLE) == ["F1", "genre        a_b", "hip|hop      0.5", "rock & roll"]


def test_markdown_escapes_and_sets_the_best_row_in_bold() -> None:
    assert markdown([TABLE]).splitlines() == [
        "| genre | a\\_b |",
        "|---|--:|",
        "| **hip\\|hop** | **0.5** |",
        "| rock & roll |  |",
    ]
    assert markdown([TABLE, TABLE]).count("**F1**\n\n| genre") == 2


def test_marks_in_cells_can_be_kept() -> None:
    table = Table("", ["a", "b", "c"], [["**1**", "|", "3"]], "lcr", note="*")
    assert markdown_lines(table, pipes_escaped) == [
        "| a | b | c |",
        "|---|:-:|--:|",
        "| **1** | \\| | 3 |",
        "",
        "*",
    ]


def test_latex_escapes_what_is_special() -> None:
    lines = latex([TABLE]).splitlines()
    assert lines[1] == "\\begin{tabular}{lr}"
    assert lines[3] == "genre & a\\_b \\\\"
    assert lines[5] == "\\textbf{hip\\textbar{}hop} & \\textbf{0.5} \\\\"
    assert lines[6] == "rock \\& roll &  \\\\"


@pytest.mark.parametrize("count", [1, 2])
def test_csv_is_read_back(count: int) -> None:
    rows = list(csv.reader(io.StringIO(comma_separated([TABLE] * count))))
    what = ["F1"] * (count > 1)
    own = [[*what, "hip|hop", "0.5"], [*what, "rock & roll", ""]]
    assert rows == [[*["what"] * (count > 1), "genre", "a_b"], *own * count]
