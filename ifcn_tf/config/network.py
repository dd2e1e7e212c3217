"""Which network, how it is built, and its arithmetic: a method, on a trunk.

The registries name modules and load none, so that settings are checked before TensorFlow is imported.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, cast

from ifcn_tf.common.classes import VOC_CLASSES, VOID
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
        task: what it is for, and so how a run is measured and drawn, a name of `training.tasks.TASKS`.
    """

    module: ClassVar[str]
    example: ClassVar[str]
    task: ClassVar[str]

    method: str
    """Name of the method, a key of METHODS; fixed for each class."""
    trunk: str = "vgg16"
    """Name of the feature extractor, a key of TRUNKS."""

    def __post_init__(self) -> None:
        require_known("trunk", self.trunk, TRUNKS)

    def require_cut(self, cut_side: int) -> None:
        """Raises UserError when the network cannot be trained on cuts of this side [px]."""

    def require_fitting(self, proposer: ProposerConfig) -> None:
        """Raises UserError when the network cannot propose with these settings; one that proposes nothing has none."""


@dataclasses.dataclass(frozen=True)
class WindowConfig(NetworkConfig, abc.ABC):
    """A network that scores windows and proposes a mask for each of them."""

    example: ClassVar[str] = "view"
    task: ClassVar[str] = "proposals"

    fusion_channels: int = 256
    """Channels of the features of a trunk that fuses maps of several strides, as EfficientNet-Lite does; VGG-16's are
    those of its last layer [count]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.fusion_channels > 0, f"fusion_channels must be positive, not {self.fusion_channels}.")

    @property
    @abc.abstractmethod
    def grid(self) -> WindowGrid:
        """Where the method's windows are, and how fine their masks."""

    def require_cut(self, cut_side: int) -> None:
        """Raises UserError when a cut of this side [px] holds no window."""
        window_px = self.grid.window_px
        require(
            cut_side == 0 or cut_side >= window_px,
            f"cut_side must be 0, or hold a window ({window_px} px), not {cut_side}.",
        )


def require_windows(config: NetworkConfig) -> WindowConfig:
    """The settings as those of a method of windows; raises UserError of another method."""
    require(
        isinstance(config, WindowConfig),
        f"{config.method} has no windows and proposes nothing: take weights or settings of a method that does, such as "
        "instance_fcn.",
    )
    return cast(WindowConfig, config)


@dataclasses.dataclass(frozen=True)
class InstanceFCNConfig(WindowConfig):
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
class DeepMaskConfig(WindowConfig):
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


@dataclasses.dataclass(frozen=True)
class SegmentationConfig(NetworkConfig):
    """A network that names the class of each pixel."""

    example: ClassVar[str] = "classes"
    task: ClassVar[str] = "segmentation"

    classes: tuple[str, ...] = VOC_CLASSES
    """Names of the values of class masks, from 0 on, which is the background."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            2 <= len(self.classes) <= VOID,
            f"classes needs 2 to {VOID} names, the background's first, not {len(self.classes)}.",
        )
        _require_once("classes has a name", self.classes)


def _require_once(what: str, values: Sequence[Any]) -> None:
    """Raises UserError when a setting has a value twice."""
    require(len(set(values)) == len(values), f"{what} twice: {', '.join(map(str, values))}.")


def require_segmentation(config: NetworkConfig) -> SegmentationConfig:
    """The settings as those of a method that names the class of each pixel; raises UserError of another method."""
    require(
        isinstance(config, SegmentationConfig),
        f"{config.method} does not name the class of each pixel: take weights or settings of fcn.",
    )
    return cast(SegmentationConfig, config)


@dataclasses.dataclass(frozen=True)
class FCNConfig(SegmentationConfig):
    """FCN (Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 4): scores of
    classes at several strides, added. The defaults are FCN-32s on VGG-16 as published."""

    module: ClassVar[str] = "ifcn_tf.models.fcn.network"

    method: str = "fcn"
    stride: int = 32
    """Of the finest map whose scores are added: 32, 16 or 8, for FCN-32s, 16s and 8s [px]."""
    fc_cells: int = 7
    """Side of the kernel of fc6, the first fully connected layer as a convolution [cells of 32 px]."""
    fc_channels: int = 4096
    """Width of fc6 and fc7; ImageNet's weights of them fit 4096 on VGG-16 alone [count]."""
    dropout: float = 0.5
    """Share of the values of fc6 and of fc7 that is left out in training [0..1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stride in (32, 16, 8), f"stride must be 32, 16 or 8, not {self.stride}.")
        require(
            self.fc_cells > 0 and self.fc_cells % 2 == 1, f"fc_cells must be odd and positive, not {self.fc_cells}."
        )
        require(self.fc_channels > 0, f"fc_channels must be positive, not {self.fc_channels}.")
        require(0 <= self.dropout < 1, f"dropout must lie in 0..1, below 1, not {self.dropout}.")


#: Cells a side of a region of the mask classifier and of its mask, before they are pooled [P].
ROI_CELLS = 14


@dataclasses.dataclass(frozen=True)
class MaskClassifierConfig(NetworkConfig):
    """The mask classifier (Dai et al., Multi-task Network Cascades, CVPR 2016, stage 3), which names regions. The
    defaults are its layers on VGG-16 as published."""

    module: ClassVar[str] = "ifcn_tf.models.mask_classifier.network"
    example: ClassVar[str] = "rois"
    task: ClassVar[str] = "classification"

    method: str = "mask_classifier"
    classes: tuple[str, ...] = VOC_CLASSES
    """Names of the classes, the background's first."""
    category_ids: tuple[int, ...] = ()
    """Numbers of the classes in data and results, without the background; 1, 2 and so on where none are given."""
    stride: int = 16
    """Of the map whose regions are classified, 8 or 16 [px] [P]."""
    fusion_channels: int = 256
    """Channels of that map of a trunk that fuses maps of several strides, as EfficientNet-Lite does; VGG-16's are those
    of its last layer [count]."""
    fc_channels: int = 4096
    """Width of the fully connected layers, two of each path; ImageNet's weights of them fit 4096 on VGG-16 alone
    [count] [P]."""
    dropout: float = 0.5
    """Share of their values that is left out in training [0..1] [P]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.classes) >= 2, f"classes needs 2 names or more, the background's first, not {self.classes}.")
        _require_once("classes has a name", self.classes)
        _require_once("category_ids has a number", self.category_ids)
        require(
            len(self.category_ids) in (0, len(self.classes) - 1),
            f"category_ids has {len(self.category_ids)} numbers for {len(self.classes) - 1} classes without the "
            "background: give one for each, or none.",
        )
        require(self.stride in (8, 16), f"stride must be 8 or 16, not {self.stride}.")
        for name in ("fusion_channels", "fc_channels"):
            require(getattr(self, name) > 0, f"{name} must be positive, not {getattr(self, name)}.")
        require(0 <= self.dropout < 1, f"dropout must lie in 0..1, below 1, not {self.dropout}.")

    @property
    def categories(self) -> dict[int, str]:
        """Names of the classes without the background, by their numbers, in the order of `classes`."""
        numbers = self.category_ids or range(1, len(self.classes))
        return dict(zip(numbers, self.classes[1:], strict=True))

    def require_cut(self, cut_side: int) -> None:
        """Raises UserError of any cut: regions of the whole image are trained on."""
        require(cut_side == 0, f"cut_side must be 0 with {self.method}, not {cut_side}.")


def require_classifier(config: NetworkConfig) -> MaskClassifierConfig:
    """The settings as those of a method that names proposals; raises UserError of another method."""
    require(
        isinstance(config, MaskClassifierConfig),
        f"{config.method} names no proposals: take weights or settings of mask_classifier.",
    )
    return cast(MaskClassifierConfig, config)


#: The settings of each method's network, by the name that `method` has.
METHODS: dict[str, type[NetworkConfig]] = {
    "instance_fcn": InstanceFCNConfig,
    "deepmask": DeepMaskConfig,
    "fcn": FCNConfig,
    "mask_classifier": MaskClassifierConfig,
}


def network_config(values: dict[str, Any]) -> NetworkConfig:
    """Builds the settings of the method that `values` name; raises UserError on an unknown name or a wrong type."""
    method = values.get("method", "instance_fcn")
    require_known("method", method, METHODS)
    return METHODS[method].from_dict(values)
