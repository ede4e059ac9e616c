import numpy as np
import pytest

from mgc.reporting.feature_plots import Picture, levelled, value_range


def picture(values: np.ndarray, places: list[float], kind: str = "sequence") -> Picture:
    return Picture("mfcc", kind, values.astype(np.float32), "dB", "coefficient", places, 0.0, 1.0)


def coefficients(seed: int) -> np.ndarray:
    """Forty rows, the first far away from the others, as with MFCC."""
    values = np.random.default_rng(seed).normal(size=(40, 200)) * np.linspace(20, 1, 40)[:, None]
    values[0] -= 300
    return values


def test_no_numbered_row_drowns_the_others() -> None:
    made = levelled([picture(coefficients(0), [float(i) for i in range(40)])])
    (shown,) = made
    np.testing.assert_allclose(shown.values.std(1), 1, rtol=1e-4)
    low, high = value_range([shown.values])
    for row in shown.values:
        assert ((row > low) & (row < high)).mean() > 0.95
        assert np.ptp(row) > 0.4 * (high - low)


def test_tracks_side_by_side_keep_their_differences() -> None:
    places = [float(i) for i in range(40)]
    one, other = levelled([picture(coefficients(1), places), picture(coefficients(2) + 5, places)])
    assert (other.values.mean(1) > one.values.mean(1)).all()


def test_a_constant_row_is_even() -> None:
    values = np.vstack([np.full(50, 3.0), np.random.default_rng(0).normal(size=50)])
    (shown,) = levelled([picture(values, [0.0, 1.0])])
    np.testing.assert_allclose(shown.values[0], 0, atol=1e-3)


@pytest.mark.parametrize(("places", "kind"), [([50.0, 100.0], "sequence"), ([0.0, 1.0], "layers")])
def test_bands_of_a_spectrum_keep_their_unit(places: list[float], kind: str) -> None:
    given = picture(np.arange(20.0).reshape(2, 10), places, kind)
    assert levelled([given]) == [given]
