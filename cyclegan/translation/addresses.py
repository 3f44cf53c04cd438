"""Addresses such as `s3://bucket/photos` that users give as paths."""

import re
from pathlib import Path

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)")


def remote_address(path: Path) -> str | None:
    """Return the address that a path stands for; none, if it is one of this machine's files."""
    match = ADDRESS.fullmatch(path.as_posix())
    return f"{match[1]}://{match[2]}" if match else None


def displayed(path: Path) -> str:
    """Return a path, or the address that it stands for, as the user wrote it."""
    return remote_address(path) or str(path)


def local_path(path: Path) -> Path:
    """Return the path that an address `file://` stands for; any other as it is."""
    match = ADDRESS.fullmatch(path.as_posix())
    return Path(f"/{match[2]}") if match and match[1] == "file" else path
