"""The hashed pins are those of `constraints.txt`, each with the hashes of its files."""

import re

from tests.pages import ROOT


def pinned(name: str) -> set[tuple[str, str]]:
    """Return the normalised name and the version of every line of a file that pins one."""
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([\w.+-]+)", text, re.MULTILINE)
    return {(re.sub("[-_.]+", "-", package).lower(), version) for package, version in pins}


def test_every_version_that_ci_tested_has_hashes():
    assert len(pinned("constraints.txt")) > 100
    assert pinned("constraints-hashed.txt") == pinned("constraints.txt")
    entries = (ROOT / "constraints-hashed.txt").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+( +--hash=sha256:[0-9a-f]{64})+", entry) for entry in entries)


def test_no_registry_is_named():
    for name in ("constraints.txt", "constraints-hashed.txt"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
