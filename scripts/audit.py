"""Look up known flaws of the installed packages; run with `python -m scripts.audit`.

pip-audit asks a database on the network. Where that cannot be reached, one line says so and nothing fails. A known flaw
fails.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence

PIP_AUDIT = (
    sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--timeout", "5", "--format",
    "json",
)  # fmt: skip
TIMEOUT_SECONDS = 120.0  # for all packages together


def main() -> int:
    """Print every known flaw; return 1 if there is any."""
    parser = argparse.ArgumentParser(description="Look up known flaws of the installed packages.")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="in seconds")
    parser.add_argument("--command", nargs="+", default=PIP_AUDIT, help="to run instead of pip-audit")
    options = parser.parse_args()
    flaws, looked_up = [], 0
    for package in audited_packages(options.command, options.timeout):
        looked_up += "vulns" in package
        for flaw in package.get("vulns", []):
            fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
            flaws.append(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    outcome = (
        f"{looked_up} packages looked up, known flaws: {len(flaws)}"
        if looked_up
        else "its database could not be reached"
    )
    print(f"pip-audit: {outcome}", *flaws, sep="\n")  # noqa: T201
    return int(bool(flaws))


def audited_packages(command: Sequence[str], timeout: float) -> list[dict]:
    """Return pip-audit's entry of each package; none if it has no answer."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        return json.loads(process.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return []


if __name__ == "__main__":
    sys.exit(main())
