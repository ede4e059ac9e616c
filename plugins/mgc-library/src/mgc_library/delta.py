"""What a file was, as a small difference to what it is: zstd with the file as its dictionary."""

from __future__ import annotations

import zstandard

#: zstd can look back by 2**27 bytes without the reader's permission, and by 2**31 at most.
MAX_WINDOW_LOG = 31
MIN_WINDOW_LOG = 10


def difference(before: bytes, after: bytes) -> bytes:
    """What `restored` needs, beside ``after``, to give ``before``."""
    window = max(MIN_WINDOW_LOG, (len(before) + len(after)).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, window_log=min(window, MAX_WINDOW_LOG), enable_ldm=True
    )
    compressor = zstandard.ZstdCompressor(
        dict_data=_dictionary(after), compression_params=parameters
    )
    return compressor.compress(before)


def restored(delta: bytes, after: bytes) -> bytes:
    """The file as it was. Raises ValueError if ``after`` is not what the difference was made to."""
    reader = zstandard.ZstdDecompressor(
        dict_data=_dictionary(after), max_window_size=1 << MAX_WINDOW_LOG
    )
    try:
        return reader.decompress(delta)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def _dictionary(content: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
