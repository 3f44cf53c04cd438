"""What the training uses of Lightning Fabric, imported without torchmetrics.

Fabric imports torchmetrics to look at its version, and that imports torchvision: a second of every start, for nothing.
"""

import sys

not_yet_imported = sys.modules.setdefault("torchmetrics", None) is None  # type: ignore[arg-type] # its import fails
try:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision, Precision
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
finally:
    if not_yet_imported:
        del sys.modules["torchmetrics"]

__all__ = ["Fabric", "MixedPrecision", "Precision", "SLURMEnvironment"]
