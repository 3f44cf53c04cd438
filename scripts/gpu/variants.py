"""Variants of the authors' step, with one ingredient more at a time: arguments of `scripts.plain_step.Options`."""

from typing import Any

BF16 = {"dtype": "bfloat16"}
LAST = BF16 | {"channels_last": True}
FUSED = LAST | {"fused_adam": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "fp32": {"tf32": False},
    "tf32": {},
    "bf16": BF16,
    "bf16, channels last": LAST,
    "fused Adam too": FUSED,
    "fp16": {"dtype": "float16"},
    "graph": FUSED | {"recorded": True},
    "compiled": FUSED | {"compiled": True},
    "graph of compiled": FUSED | {"recorded": True, "compiled": True},
}
EAGER = ("fp32", "tf32", "bf16", "bf16, channels last", "fused Adam too", "fp16", "graph")
COMPILED = ("fused Adam too", "compiled", "graph of compiled")
NEED_CUDA = ("fp16", "graph", "compiled", "graph of compiled")
