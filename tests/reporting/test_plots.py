import numpy as np
import pytest

from mgc.reporting import plots
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")


def test_points_of_a_perfect_system_are_not_cut_off() -> None:
    figure = plots.calibration([("good", made_run(skill=9.0))])
    (axis,) = figure.axes
    (points,) = axis.collections[-1:]
    assert points.get_offsets()[:, 1].max() == 1.0
    assert not points.get_clip_on()


def test_the_epochs_kept_are_marked() -> None:
    figure = plots.curves([("cnn", made_run(head="cnn", epochs=4, folds=3))])
    for axis in figure.axes:
        marked = [line for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())]
        assert [line.get_xdata().tolist() for line in marked] == [[4, 4, 4]] * 2
        assert "epoch kept" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_the_points_fill_the_picture_of_a_map() -> None:
    figure = plots.embedding([("mel", made_run(tracks=80))], method="pca")
    figure.draw_without_rendering()
    axis = figure.axes[0]
    places = np.vstack([axis.transData.transform(c.get_offsets()) for c in axis.collections])
    assert np.ptp(places[:, 0]) > 0.8 * figure.bbox.width
    assert np.ptp(places[:, 1]) > 0.8 * (figure.bbox.height - 0.8 * figure.dpi)
