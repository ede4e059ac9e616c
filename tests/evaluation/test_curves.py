from dataclasses import replace

import pytest

from mgc.evaluation.curves import curves
from mgc.runs import Run
from mgc.training.tracking import write_history
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")

LOSSES, SCORES = (0.9, 0.4, 0.6, 0.4), (0.2, 0.3, 0.8, 0.7)


@pytest.mark.parametrize(
    ("monitor", "losses", "kept"),
    [
        ("loss", LOSSES, 2),  # of equal ones the first, as in training
        ("accuracy", LOSSES, 3),
        ("loss", (None,) * 4, 4),  # without validation tracks the last
    ],
)
def test_the_epoch_that_training_kept(
    monitor: str, losses: tuple[float | None, ...], kept: int
) -> None:
    run = made_run(head="cnn", folds=0)
    head = replace(run.record.head, training={"monitor": monitor})
    run = Run(run.folder, replace(run.record, head=head))
    figures = zip(losses, SCORES, strict=True)
    write_history(
        run.folder / "fold-0",
        [
            {"epoch": number, "validation_loss": loss, "validation_accuracy": score}
            for number, (loss, score) in enumerate(figures, 1)
        ],
    )
    (curve,) = curves(run)
    assert curve.kept == kept
    assert curve.at_kept("validation_accuracy") == SCORES[kept - 1]
