"""How fast a wrong request is refused: ``python -m benchmarks --only refusals``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.timing import Section, Times, row

PEER = "python -c 'import typer, rich.console, rich.table'"
TEXT = (
    "Processor milliseconds (user and system) of a whole process, in an empty home; "
    "at most twice those of the peer are allowed."
)
#: One wrong name, path or value each.
WRONG = (
    "fit -e MFCC",
    "fit -e mfcc --head nope",
    "fit -e mfcc --data nope",
    "fit -e mfcc --device nope",
    "fit -e mfcc --set nope=1",
    "fit -e mfcc --head svm --set svm.nope=1",
    "fit --resume nope",
    "predict nofile.mp3",
    "predict . --run nope",
    "predict . --data nope",
    "ensemble nope",
    "ensemble majority-voting nope",
    "ensemble majority-voting --data nope",
    "ensemble stacking --set nope=1",
    "ensemble all --set nope=1",
    "compare nope",
    "compare --data nope",
    "compare --reference nope",
    "data add x /nonexistent",
    "data add fma-small --path /nonexistent",
    "data add gtzan /nonexistent",
    "data add X_Y! .",
    "data show nope",
    "data check nope",
    "data audit nope",
    "data split nope",
    "data export nope x.csv",
    "data remove nope",
    "data use nope",
    "data download nope",
    "features show nope",
    "features show x -e nope",
    "features show mel --set nope=1",
    "features show nope -e mel",
    "features show nope -e mel --set nope=1",
    "features show mel --set n_mels=-3",
    "features extract mel --set fmin=abc",
    "fit -e mfcc --set n_fft=abc",
    "fit -e mfcc --head cnn --set learning_rate=abc",
    "fit -e mfcc --head cnn --set learning_rate=-1",
    "fit -e mfcc --head svm --set C=-1",
    "fit -e mfcc --set n_mfcc=500",
    "fit -e mel --set n_fft=7",
    "fit -e chroma --set n_chroma=999",
    "fit -e mfcc --head cnn --set dropout=2",
    "ensemble stacking --set penalty=-1",
    "features extract nope",
    "features extract mel --set nope=1",
    "features fetch mel --set nope=1",
    "features clear nope",
    "features fetch nope",
    "features compare -e nope",
    "features compare nope -e mel",
    "runs show nope",
    "runs remove nope",
    "plot confusion nope",
    "plot comparison nope",
    "report nope",
    "report --data nope",
    "report --picture nope",
    "experiment run nofile",
    "experiment show nofile",
    "plugins check nope",
    "heads show nope",
    "strategies show nope",
)


def measure(scratch: Path, turns: int) -> Section:
    """Every wrong request and the peer, in turns."""
    environment = {**os.environ, "MGC_HOME": str(scratch / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every import compiles again
    commands = {f"mgc {words}": ["-m", "mgc", *words.split()] for words in WRONG}
    commands[PEER] = ["-c", "import typer, rich.console, rich.table"]
    times = {name: Times() for name in commands}
    for turn in range(turns + 1):
        for name, words in commands.items():
            used = _processor([sys.executable, *words], environment)
            if turn:  # the first one fills the caches
                times[name].clock.append(used)
                times[name].processor.append(used)
    rows = [row(times, name, PEER, scale=1e3, unit="ms") for name in commands]
    return Section("Refusing a wrong request", TEXT, rows, {"turns": turns})


def _processor(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of processor time that a process takes."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime
