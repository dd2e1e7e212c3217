"""A network that was loaded, and the proposer around it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import weights_file
from ifcn_tf.config.network import Precision, WindowConfig, network_config, require_windows
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import require
from ifcn_tf.models.focus import load_focus
from ifcn_tf.models.method import WindowMethod, build_network
from ifcn_tf.models.parts.constant_weights import with_constant_weights
from ifcn_tf.models.refiner import SAMPLES, load_refiner
from ifcn_tf.models.score_head import load_score_head
from ifcn_tf.models.weights import load_weights, read_network_config, read_proposer_config
from ifcn_tf.proposing.chips import Focusing
from ifcn_tf.proposing.mirrored import Mirrored
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.proposing.scored_by_another import ScoredByAnother
from ifcn_tf.proposing.window_model import Refining


def load_network(
    weights: str | Path | None = None,
    *,
    backbone_weights: str | None = None,
    trunk: str | None = None,
    k: int | None = None,
    score_weights: str | Path | None = None,
    precision: Precision = "auto",
    **settings: Any,
) -> tuple[WindowMethod, ProposerConfig]:
    """The network behind `load` and the settings of its proposer; arguments and errors are those of `load`."""
    if backbone_weights:
        require(not score_weights, "score_weights belong to trained weights: leave them out with backbone_weights.")
        return _untrained(weights, backbone_weights, {"trunk": trunk, "k": k}, precision), ProposerConfig.from_dict(
            settings
        )
    path = weights_file(weights)
    network_settings = _read_windows(path)
    _require_held({"trunk": trunk, "k": k}, network_settings, path)
    config = read_proposer_config(path).changed(settings)
    network = _loaded(path, network_settings, precision)
    if score_weights:  # which score in place of a head; nor are masks refined
        _take_scorer(network, weights_file(score_weights), precision)
    else:
        network.score_head = load_score_head(path)
        network.refiner = load_refiner(path, network.config.grid.mask_cells, network.precision)
        network.focus = load_focus(path)
    return network, config


def bare_network(path: Path, precision: Precision) -> WindowMethod:
    """The network of a weights file without what was trained after it; raises UserError as `load` does."""
    return _loaded(path, _read_windows(path), precision)


def _read_windows(path: Path) -> WindowConfig:
    """The architecture that a weights file is of; raises UserError where its network has no windows."""
    config = read_network_config(path)
    try:
        return require_windows(config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _loaded(path: Path, config: WindowConfig, precision: Precision) -> WindowMethod:
    network = cast(WindowMethod, build_network(config, precision))
    load_weights(network, path)
    return network


def _take_scorer(network: WindowMethod, path: Path, precision: Precision) -> None:
    """Lets the network of a weights file score the windows of another one."""
    config = _read_windows(path)
    same = f"{path} scores other windows than the masks are of: take weights of the same stride and size of window."
    windows, scored = network.config.grid, config.grid
    require((windows.stride, windows.window_cells) == (scored.stride, scored.window_cells), same)
    network.scorer = _loaded(path, config, precision)


def network_proposer(network: WindowMethod, config: ProposerConfig) -> Proposer:
    """The proposer around a copy of the present weights of a network."""
    head = None if network.score_head is None else with_constant_weights(network.score_head)
    refiner = None if network.refiner is None else Refining(*map(with_constant_weights, network.refiner))
    if refiner is not None:
        sentence = f"edge_samples must be 0 or {SAMPLES} with weights that have a refiner, not {config.edge_samples}."
        require(config.edge_samples in (0, SAMPLES), sentence)
    model = network.window_model(config)
    if network.scorer is not None:
        model = ScoredByAnother(model, network.scorer.window_model(config))
    if config.flip:
        model = Mirrored(model, network.config.grid)
    return Proposer(model, config, network.config.grid, head, refiner, _focusing(network, config))


def _focusing(network: WindowMethod, config: ProposerConfig) -> Focusing | None:
    """What tells where to look at those finer scales that it knows, None where all are looked at whole."""
    focus, sides = network.focus, () if config.scale_factors else config.shorter_sides
    if focus is None or not config.focus_threshold or focus.seen_from not in sides:
        return None
    return Focusing(with_constant_weights(focus.network), focus.seen_from, focus.sides)


def settings_of(network: WindowMethod, config: ProposerConfig) -> dict[str, Any]:
    """What determines the proposals of a network, as JSON types."""
    scorer = None if network.scorer is None else network.scorer.model
    focus = None if network.focus is None else network.focus.network
    parts = (network.model, network.score_head, network.refiner, focus, scorer)
    arrays = [np.array(variable) for part in parts if part is not None for variable in part.weights]
    return {
        "weights": hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest(),
        "precision": network.precision,
        "proposer": config.to_dict(),
    }


def _untrained(
    weights: str | Path | None, backbone_weights: str, asked: dict[str, Any], precision: Precision
) -> WindowMethod:
    if weights:
        raise UserError("give weights or backbone_weights, not both: weights hold the trunk too.")
    values = {name: value for name, value in asked.items() if value is not None}
    network = cast(WindowMethod, build_network(require_windows(network_config(values)), precision))
    network.trunk.load_imagenet(network.model, backbone_weights)
    return network


def _require_held(asked: dict[str, Any], config: WindowConfig, path: Path) -> None:
    held = config.to_dict()
    for name, value in asked.items():
        if value not in (None, held.get(name)):
            found = f"{path} holds weights for {name} = {held.get(name)}, not {value}"
            raise UserError(f"{found}: leave {name} out, or take other weights.")
