"""Starting one process for each device of this machine, by torch's own launcher, which is torchrun's."""

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from threading import Thread

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from cyclegan.errors import RankLostError

INTERRUPTED = 130
LAUNCHER = "CYCLEGAN_LAUNCHER"  # in the environment of the ranks: the process that started them
POLL_SECONDS = 0.5


def start_processes(count: int, arguments: Sequence[str]) -> int:
    """Run this program `count` times with these arguments, as one training; return its exit status.

    If one of them fails, the others are ended; a killed one raises a `RankLostError`.
    """
    logging.disable(logging.CRITICAL)  # the launcher logs its own workings
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="cyclegan",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    os.environ[LAUNCHER] = str(os.getpid())
    config.signals_to_handle = ",".join(handled_signals())  # older versions of torch ignore it
    try:
        elastic_launch(config, sys.executable)("-m", "cyclegan", *arguments)
    except SignalException:
        return INTERRUPTED
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        killed = {rank: signal.Signals(-code).name for rank, code in codes.items() if code < 0}
        for rank, name in killed.items():
            raise RankLostError(
                f"rank {rank} of {count} was ended from outside ({name}), and the others with it.",
                "The same command continues from the last save.",
            ) from error
        return codes[min(codes)]
    return 0


def end_with_launcher() -> None:
    """End this rank once the process that started it is gone: killed, it cannot end its ranks itself.

    They would train on with nobody to stop them, or wait for each other for minutes, and hold the run's folder.
    """
    if launcher := os.environ.get(LAUNCHER):
        Thread(target=_end_after, args=(int(launcher),), daemon=True).start()


def _end_after(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(POLL_SECONDS)
    os._exit(INTERRUPTED)  # nothing softer ends a thread that waits in a library


def handled_signals() -> list[str]:
    """Return the signals on which the launcher ends its processes, except those it was started to ignore."""
    names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    return [name for name in names if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN]
