"""Values with arrays between processes: nothing is changed on the way."""

from __future__ import annotations

import math
from multiprocessing import connection
from threading import Thread

import numpy as np
import pytest

from mgc.audio.processes import messages
from mgc.errors import MgcError


def there(value: object) -> object:
    """What arrives of a value."""
    one, other = connection.Pipe()
    with one, other:
        sender = Thread(target=messages.send, args=(one, value))
        sender.start()
        arrived = messages.receive(other)
        sender.join()
    return arrived


def test_a_value_arrives_as_it_is() -> None:
    value = {"text": "ä\n", "none": None, "list": [1, 2.5, True], "shape": [3], "dtype": "x"}
    assert there(value) == value
    assert math.isnan(there([math.nan])[0])


def test_arrays_arrive_with_shape_and_type_in_their_places() -> None:
    large = np.random.default_rng(0).standard_normal((3, 400_000)).astype(np.float32)
    value = {
        "first": [large, large[:, ::7]],
        "then": {"half": large[:, :5].astype(np.float16), "empty": np.zeros((0, 4), np.uint32)},
    }
    arrived = there(value)
    pairs = zip(
        [*value["first"], *value["then"].values()],
        [*arrived["first"], *arrived["then"].values()],
        strict=True,
    )
    for sent, got in pairs:
        assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
        np.testing.assert_array_equal(got, sent)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (MgcError("what", "next"), MgcError, "what"),
        (ValueError("no"), ValueError, "no"),
        (ZeroDivisionError("by zero"), RuntimeError, "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), RuntimeError, "^KeyboardInterrupt$"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), RuntimeError, "UnicodeDecodeError: .*bad"),
    ],
)
def test_errors_arrive(error: BaseException, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        messages.raise_error(there(messages.described(error)))
    if isinstance(error, MgcError):
        assert caught.value.hint == "next"


def test_the_end_of_the_other_process_is_an_error() -> None:
    one, other = connection.Pipe()
    one.send_bytes(b'[{"dtype": "<f4", "shape": [5]}]')
    one.close()
    with other, pytest.raises((EOFError, OSError)):
        messages.receive(other)
