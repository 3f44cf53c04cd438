"""A training as a process of its own that has nothing left to import, so that it can be killed many times."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess

import cyclegan.cli.display
import cyclegan.reports
import cyclegan.training  # noqa: F401 (all that a training imports)
from cyclegan.cli import main


def start(arguments: list[str], terminal: str = "") -> BaseProcess:
    """Start `cyclegan` with these arguments, forked from a process that only imports, on a terminal of this path."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=run, args=(arguments, terminal))
    process.start()
    return process


def run(arguments: list[str], terminal: str) -> None:
    """Be the command line."""
    if terminal:
        os.setsid()  # the terminal opened next is this session's: closing it sends SIGHUP
        opened = os.open(terminal, os.O_RDWR)
        for standard in range(3):
            os.dup2(opened, standard)
    sys.argv = ["cyclegan", *arguments]
    main()
