"""What is known of an audio file before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AudioFormat:
    """What is known of a file: rate in Hz, channels, length in samples per channel, and a remark
    on what its header says wrongly, or ""."""

    sample_rate: int
    channels: int
    samples: int
    remark: str = ""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate
