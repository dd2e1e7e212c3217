"""Which network, how it is built, and its arithmetic: a method, on a trunk.

The registries name modules and load none, so that settings are checked before TensorFlow is imported.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Literal

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import Settings, require, require_known
from ifcn_tf.geometry import WindowGrid

Precision = Literal["auto", "float32", "bfloat16"]

#: Where each trunk (`models.trunks.trunk.Trunk`) is, by the name that `trunk` has: "module:name in it".
TRUNKS = {
    "vgg16": "ifcn_tf.models.trunks.vgg16:TRUNK",
    **{f"efficientnet_lite{size}": f"ifcn_tf.models.trunks.efficientnet_lite:LITE{size}" for size in range(3)},
}


@dataclasses.dataclass(frozen=True)
class NetworkConfig(Settings, abc.ABC):
    """Architecture of a network; together with the weights it determines every output. Each method has its own.

    Class attributes:
        module: where the method is: a module with a `METHOD` (`models.method.Method`).
        example: what it is trained on, a name of `data.pipeline.EXAMPLES`.
    """

    module: ClassVar[str]
    example: ClassVar[str] = "view"

    method: str
    """Name of the method, a key of METHODS; fixed for each class."""
    trunk: str = "vgg16"
    """Name of the feature extractor, a key of TRUNKS."""
    fusion_channels: int = 256
    """Channels of the features of a trunk that fuses maps of several strides, as EfficientNet-Lite does; VGG-16's are
    those of its last layer [count]."""

    def __post_init__(self) -> None:
        require_known("trunk", self.trunk, TRUNKS)
        require(self.fusion_channels > 0, f"fusion_channels must be positive, not {self.fusion_channels}.")

    @property
    @abc.abstractmethod
    def grid(self) -> WindowGrid:
        """Where the method's windows are, and how fine their masks."""

    def require_fitting(self, proposer: ProposerConfig) -> None:
        """Raises UserError when the network cannot propose with these settings."""


@dataclasses.dataclass(frozen=True)
class InstanceFCNConfig(NetworkConfig):
    """The paper's network (section 3)."""

    module: ClassVar[str] = "ifcn_tf.models.instance_fcn.network"

    method: str = "instance_fcn"
    k: int = 5
    """Relative positions a side, so k * k score maps [count] [P]: 3, 5 or 7."""
    window_cells: int = 21
    """Side of the sliding window and of its mask, the paper's m [cells of 8 px] [P]."""
    branch_channels: int = 512
    """Channels of the hidden layer of each branch [count] [P]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.k in (3, 5, 7), f"k must be 3, 5 or 7, not {self.k}.")
        require(
            self.window_cells > 0 and self.window_cells % 2 == 1,
            f"window_cells must be odd and positive, not {self.window_cells}.",
        )
        require(self.window_cells >= self.k, f"window_cells must be k = {self.k} or more, not {self.window_cells}.")
        require(self.branch_channels > 0, f"branch_channels must be positive, not {self.branch_channels}.")

    @property
    def grid(self) -> WindowGrid:
        """A cell of the mask is a cell of the map, of stride 8 (section 3.3)."""
        return WindowGrid(8, self.window_cells, self.window_cells)

    def require_fitting(self, proposer: ProposerConfig) -> None:
        """Raises UserError unless blending reaches at most the two nearest of a window's relative positions."""
        most = (self.window_cells // self.k - 1) // 2
        require(
            proposer.blend_cells <= most,
            f"blend_cells must be {most} or less with k = {self.k}, not {proposer.blend_cells}.",
        )


#: The settings of each method's network, by the name that `method` has.
METHODS: dict[str, type[NetworkConfig]] = {"instance_fcn": InstanceFCNConfig}


def network_config(values: dict[str, Any]) -> NetworkConfig:
    """Builds the settings of the method that `values` name; raises UserError on an unknown name or a wrong type."""
    method = values.get("method", "instance_fcn")
    require_known("method", method, METHODS)
    return METHODS[method].from_dict(values)
