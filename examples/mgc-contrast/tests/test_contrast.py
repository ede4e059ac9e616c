"""The extractor contrast keeps mgc's contract."""

from mgc.checks import parametrize


@parametrize("contrast")
def test_conformance(check):
    check()
