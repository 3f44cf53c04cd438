"""A training as a process of its own that has nothing left to import, so that it can be killed many times."""

import multiprocessing
import sys
from multiprocessing.process import BaseProcess

import cyclegan.cli.display
import cyclegan.reports
import cyclegan.training  # noqa: F401 (all that a training imports)
from cyclegan.cli import main


def start(arguments: list[str]) -> BaseProcess:
    """Start `cyclegan` with these arguments, forked from a process that only imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=run, args=(arguments,))
    process.start()
    return process


def run(arguments: list[str]) -> None:
    """Be the command line."""
    sys.argv = ["cyclegan", *arguments]
    main()
