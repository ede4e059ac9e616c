"""One training in several processes: who writes, who waits.

``accelerate launch`` or ``torchrun`` start the same command once for each process. The main one
extracts, makes the run folder and writes the results; all of them train. In a single process
everything here does nothing, and accelerate is not even imported.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

MAX_TEXT = 1024


def several() -> bool:
    """Whether a launcher has started more than one process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main() -> bool:
    """Whether this process is the one that writes; known before the processes are connected."""
    return os.environ.get("RANK", "0") == "0"


def meet(device: str) -> None:
    """Join the other processes: gloo on a CPU, NCCL on CUDA. Call it before the rest."""
    if several():
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def main_first() -> AbstractContextManager[None]:
    """The main process runs the block first; the others run it afterwards."""
    if not several():
        return nullcontext()
    from accelerate import PartialState

    first: AbstractContextManager[None] = PartialState().main_process_first()
    return first


def from_main(text: str) -> str:
    """The main process's text, in every process; at most `MAX_TEXT` bytes."""
    if not several():
        return text
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast

    # As bytes: torch's own way to send an object is a pickle.
    padded = text.encode().ljust(MAX_TEXT, b"\0")
    sent = torch.frombuffer(bytearray(padded), dtype=torch.uint8).to(PartialState().device)
    return bytes(broadcast(sent).tolist()).rstrip(b"\0").decode()


def wait() -> None:
    """Wait until every process is here."""
    if several():
        from accelerate import PartialState

        PartialState().wait_for_everyone()
