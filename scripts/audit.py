"""See whether known flaws are in what is installed; run with `python -m scripts.audit`.

pip-audit asks a database on the network. Where that cannot be reached, nothing is known and nothing fails: one line
says so. It fails where a flaw is known.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

AUDIT = (
    sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--timeout", "5", "--format",
    "json",
)  # fmt: skip
PATIENCE = 120  # seconds for all packages together


def main(command: Sequence[str] = AUDIT, patience: float = PATIENCE) -> int:
    """Print every known flaw; return whether there is any."""
    flaws, looked_up = [], 0
    for package in answer(command, patience):
        looked_up += "vulns" in package
        for flaw in package.get("vulns", []):
            mended = ", ".join(flaw["fix_versions"]) or "no version yet"
            flaws.append(f"{package['name']} {package['version']}: {flaw['id']}, mended in {mended}")
    known = (
        f"{looked_up} packages looked up, flaws known: {len(flaws)}" if looked_up else "its data could not be reached"
    )
    print(f"pip-audit: {known}", *flaws, sep="\n")  # noqa: T201
    return int(bool(flaws))


def answer(command: Sequence[str], patience: float) -> list[dict]:
    """Return what pip-audit says of each package; nothing if it has no answer."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
        return json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return []


if __name__ == "__main__":
    sys.exit(main())
