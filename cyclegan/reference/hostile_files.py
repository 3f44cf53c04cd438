"""Checks of a `.pth` file before torch reads it, for what torch does not bound: memory, time and depth."""

import pickletools
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import torch

from cyclegan.errors import ModelFileError

ZIP_HEADER = b"PK\3\4"  # of torch's present file format
OLD_FORMAT_PICKLES = 5  # at the beginning of a file in its old one
MAX_TUPLE = 10_000  # objects in a tuple and the tuples in it; weights have some ten
PUT, GET = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
COPY_HINT = "Use another copy of the file."


def check_pth(path: Path) -> None:
    """Raise an error if a file would unpack to more than its size, or holds vast tuples."""
    with path.open("rb") as file:
        if file.read(len(ZIP_HEADER)) != ZIP_HEADER:
            file.seek(0)
            check_tuples(file, OLD_FORMAT_PICKLES)
            return
    with zipfile.ZipFile(path) as archive:  # torch stores its files uncompressed
        check_size(path, (entry.file_size for entry in archive.infolist()))
    check_tuples(BytesIO(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")))


def check_size(path: Path, sizes: Iterable[int]) -> None:
    """Raise an error if parts of a file have more bytes than the file."""
    if sum(sizes) > path.stat().st_size:
        raise ModelFileError("it would take more memory than it has bytes.", COPY_HINT)


def check_tuples(file: BinaryIO, pickles: int = 1) -> None:
    """Raise an error if one of the pickles holds a vast tuple; of a damaged pickle, torch says what is wrong.

    A dictionary hashes its keys, and Python hashes tuples within tuples again and again and as deep as they go: 200
    bytes can take centuries, or overflow the stack.
    """
    with suppress(ValueError, IndexError, KeyError):
        for _ in range(pickles):
            _check_pickle(file)


def _check_pickle(file: BinaryIO) -> None:
    """Run a pickle with the numbers of objects in its tuples instead of objects."""
    stack, marks, memo = list[int](), list[int](), dict[object, int]()
    for opcode, argument, _ in pickletools.genops(file):
        before = opcode.stack_before
        if opcode.name in PUT:
            memo[argument] = stack[-1]
        elif opcode.name in GET:
            stack.append(memo[argument])
        elif opcode.name == "MARK":
            marks.append(len(stack))
        else:
            is_marked = pickletools.markobject in before
            start = marks.pop() - before.index(pickletools.markobject) if is_marked else len(stack) - len(before)
            count = 1 + sum(stack[start:]) if opcode.name.startswith("TUPLE") else 1
            if count > MAX_TUPLE:
                raise ModelFileError("it holds a tuple of more objects than weights need.", COPY_HINT)
            stack[start:] = [count] * len(opcode.stack_after)
