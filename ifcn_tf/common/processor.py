"""What the processor of this machine can do."""

from __future__ import annotations

from pathlib import Path

#: Instructions that compute in bfloat16.
_BFLOAT16 = ("avx512_bf16", "amx_bf16")


def processor_flags() -> set[str]:
    """The instructions of the processor, by Linux' names; none are known elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def bfloat16_instructions() -> tuple[list[str], str]:
    """Those of the processor that compute in bfloat16, and a sentence that says which."""
    found = [name for name in _BFLOAT16 if name in processor_flags()]
    return found, f"the processor has {' and '.join(found) or 'neither ' + ' nor '.join(_BFLOAT16)}"
