"""Files cut into pieces that may come back from a machine."""

from pathlib import Path

PIECE = 15 * 2**20  # bytes; 16 MiB are allowed


def split(file: Path, folder: Path, size: int = PIECE) -> list[Path]:
    """Cut a file into pieces `NAME.00`, `NAME.01`, … of at most `size` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{file.name}.[0-9][0-9]"):
        old.unlink()
    pieces = []
    with file.open("rb") as stream:
        while part := stream.read(size):
            pieces.append(folder / f"{file.name}.{len(pieces):02}")
            pieces[-1].write_bytes(part)
    return pieces


def join(folder: Path, name: str, target: Path) -> Path:
    """Put the pieces of a file together again."""
    pieces = sorted(folder.glob(f"{name}.[0-9][0-9]"))
    if not pieces or [piece.suffix for piece in pieces] != [f".{number:02}" for number in range(len(pieces))]:
        raise SystemExit(f"{folder} does not hold all pieces of {name}. Name the folder that the files came back in.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for piece in pieces:
            stream.write(piece.read_bytes())
    return target
