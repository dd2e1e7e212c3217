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
    "vgg_a": "ifcn_tf.models.trunks.vgg_a:TRUNK",
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


@dataclasses.dataclass(frozen=True)
class DeepMaskConfig(NetworkConfig):
    """DeepMask (Pinheiro et al., Learning to Segment Object Candidates, 2015, section 3): a mask by fully connected
    layers. The defaults are its layers on VGG-16, that is ~DeepMask of the paper's table 2."""

    module: ClassVar[str] = "ifcn_tf.models.deepmask.network"
    example: ClassVar[str] = "crop"

    method: str = "deepmask"
    window_cells: int = 14
    """Side of the window, and of the crop that is trained on [cells of 16 px]; even, since the score branch pools."""
    mask_cells: int = 56
    """Side of the mask that is predicted, which is interpolated to the window's pixels [cells of the mask]."""
    mask_channels: int = 512
    """Channels of the 1 x 1 convolution before the mask [count]."""
    low_rank: int = 512
    """Width of the layer without ReLU between the window's features and its mask; 0: there is none, as in DeepMaskFull
    [count]."""
    score_channels: tuple[int, ...] = (512, 1024)
    """Widths of the hidden layers of the score branch [count]."""
    dropout: float = 0.5
    """Share of their values that is left out in training [0..1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.window_cells > 0 and self.window_cells % 2 == 0,
            f"window_cells must be even and positive, not {self.window_cells}.",
        )
        require(
            self.mask_cells in [self.window_cells * finer for finer in (1, 2, 4, 8, 16)],
            f"mask_cells must be 1, 2, 4, 8 or 16 times window_cells = {self.window_cells}, not {self.mask_cells}.",
        )
        require(self.mask_channels > 0, f"mask_channels must be positive, not {self.mask_channels}.")
        require(self.low_rank >= 0, f"low_rank must not be negative, not {self.low_rank}.")
        require(
            bool(self.score_channels) and min(self.score_channels) > 0,
            f"score_channels needs at least one width, each positive, not {self.score_channels}.",
        )
        require(0 <= self.dropout < 1, f"dropout must lie in 0..1, below 1, not {self.dropout}.")

    @property
    def grid(self) -> WindowGrid:
        """The map has stride 16, as the trunk's four poolings leave it (section 3.1)."""
        return WindowGrid(16, self.window_cells, self.mask_cells)


#: The settings of each method's network, by the name that `method` has.
METHODS: dict[str, type[NetworkConfig]] = {"instance_fcn": InstanceFCNConfig, "deepmask": DeepMaskConfig}


def network_config(values: dict[str, Any]) -> NetworkConfig:
    """Builds the settings of the method that `values` name; raises UserError on an unknown name or a wrong type."""
    method = values.get("method", "instance_fcn")
    require_known("method", method, METHODS)
    return METHODS[method].from_dict(values)
