"""Apache Arrow, which not every installation has."""

from __future__ import annotations

import importlib
from types import ModuleType

from ifcn_tf.common.files import UserError


def arrow(reason: str) -> ModuleType:
    """pyarrow with `fs` and `parquet`; raises UserError, which begins with what needs it, where it is not installed."""
    try:
        for name in ("pyarrow.fs", "pyarrow.parquet"):
            importlib.import_module(name)
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise UserError(f"{reason} needs pyarrow: pip install 'ifcn-tf[arrow]'.") from error
