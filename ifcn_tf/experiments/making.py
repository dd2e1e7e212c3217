"""Makes the proposals of rows: trains networks, lets them propose, and runs the methods without one.

All of it goes on where it was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ifcn_tf.common.files import UserError
from ifcn_tf.experiments.setup import Setup
from ifcn_tf.experiments.tables import Row, Training
from ifcn_tf.predictor import load
from ifcn_tf.results.folder import AnyPredictor, Output, propose_images
from ifcn_tf.training.run import Places, train_on_data
from ifcn_tf.training.strategy import make_strategy


def places(training: Training, setup: Setup) -> Places:
    """What a training run reads, and where it writes."""
    return Places(setup.data, [], setup.workdir(training), None, setup.backbone, setup.shares)


def train(trainings: Iterable[Training], setup: Setup) -> int | None:
    """Trains each network, or goes on with it.

    Returns:
        The number of the signal that ended this, or None when all are trained.

    Raises:
        UserError: whatever stops a training run.
    """
    strategy = make_strategy("auto")
    for training in trainings:
        config = setup.config(training)
        print(f"training {training.name}: {config.train.steps} steps into {setup.workdir(training)}", flush=True)
        ending = train_on_data(config, places(training, setup), strategy)
        if ending.signal is not None:
            return ending.signal
    return None


def propose(predictor: AnyPredictor, photographs: Sequence[Path], folder: Path) -> str:
    """Writes what a predictor proposes for photographs; returns the file.

    Raises:
        UserError: a photograph cannot be used, or the folder holds proposals that came about otherwise.
    """
    print(f"proposals for {len(photographs)} photographs into {folder}", flush=True)
    failures = propose_images(predictor, photographs, Output(folder, formats=()), resume=True)
    if failures:
        raise UserError(f"{len(failures)} of {len(photographs)} photographs have no proposals: {failures[0].reason}")
    return str(folder / "proposals.json")


def network_of(row: Row, setup: Setup) -> AnyPredictor:
    """The trained network of a row, which proposes as the row says."""
    assert row.training is not None
    weights = setup.workdir(row.training) / "last" / "model.weights.h5"
    return load(weights, **row.proposer.to_dict())


def method_of(row: Row) -> AnyPredictor:
    """The method without a network of a row; raises UserError where OpenCV is not there."""
    from ifcn_tf.baselines.predictor import selective_search_predictor  # here, since it needs OpenCV

    return {"selective_search": selective_search_predictor}[str(row.method)](row.proposer.num_proposals)
