"""Rows as data: what is the same in all of them, and what is not."""

import dataclasses

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.experiments.tables import BASES, DEEPMASK, K5, LIKE_DEEPMASK, TABLES, ZOOM

ROWS = {row.name: row for table in TABLES.values() for row in table.rows}
TRAININGS = {row.training.name: row.training for row in ROWS.values() if row.training}


def flat(config):
    return {f"{section}.{field}": v for section, fields in config.to_dict().items() for field, v in fields.items()}


@pytest.mark.parametrize("budget", [10_000, 10_001])
@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_every_network_sees_as_many_images_on_the_same_trunk(base, budget):
    configs = [training.config(base, budget) for training in TRAININGS.values()]
    assert {config.train.steps * config.train.images_per_step for config in configs} == {10_000}
    assert {config.model.trunk for config in configs} == {base.model.trunk}
    rates = configs[0].train.learning_rates
    assert all(dataclasses.replace(config.train, learning_rates=rates) == configs[0].train for config in configs)
    assert all(config.proposer == ProposerConfig() for config in configs)


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_trainings_differ_in_what_they_name_alone(base):
    first = flat(K5.training.config(base, 10_000))
    for training in TRAININGS.values():
        config = training.config(base, 10_000)
        stated = {setting.partition("=")[0] for setting in training.settings}
        stated |= {"train.learning_rates"} if training.adamw_share != 1 else set()
        changed = {name for name, value in flat(config).items() if first.get(name, value) != value}
        if config.model.method != first["model.method"]:  # the other settings of a network are its method's
            stated |= {"data.crops_in_turn", *(name for name in changed if name.startswith("model."))}
        assert changed <= stated
        assert changed or training is K5.training


def test_deepmask_learns_at_a_tenth_of_the_rates_of_adamw_and_at_those_of_sgd():
    for name, share in (("efficientnet_lite2", 0.1), ("vgg16", 1.0)):
        rates = [share * rate for rate in BASES[name].train.learning_rates]
        assert DEEPMASK.training.config(BASES[name], 10_000).train.learning_rates == pytest.approx(rates)
        assert K5.training.config(BASES[name], 10_000).train.learning_rates == BASES[name].train.learning_rates


def test_batches_of_masks_and_scores_alternate():
    for base in BASES.values():
        config = DEEPMASK.training.config(base, 10_000)
        assert config.data.crops_in_turn == config.train.images_per_step


def test_a_budget_is_a_step_at_least():
    base = BASES["efficientnet_lite2"]
    assert K5.training.config(base, base.train.images_per_step).train.steps == 1
    with pytest.raises(UserError, match="a budget of 3 images is less than a step: give 4 or more"):
        K5.training.config(base, 3)


def test_what_is_compared_on_equal_terms_proposes_alike():
    for number in ("1", "2", "3"):
        assert all(row.proposer == ProposerConfig() for row in TABLES[number].rows)
    assert DEEPMASK.training == ZOOM.training == LIKE_DEEPMASK.training
    assert ZOOM.proposer == dataclasses.replace(DEEPMASK.proposer, scale_factors=ZOOM.proposer.scale_factors)
    *same, one_more = ZOOM.proposer.scale_factors
    assert tuple(same) == DEEPMASK.proposer.scale_factors
    assert one_more == pytest.approx(same[-1] * 2**0.5)


def test_every_table_has_its_reference_and_published_numbers():
    for table in TABLES.values():
        assert {table.reference.name, table.beside.name} <= {row.name for row in table.rows}
        without = [row for row in table.rows if table.data_set not in row.published]
        assert without == ([K5] if table.data_set == "coco" else [])  # there it stands at other scales
        assert len({row.title for row in table.rows}) == len({row.name for row in table.rows}) == len(table.rows)


def test_an_unknown_row_is_named_with_those_that_there_are():
    assert TABLES["3"].row("mcg").title == "MCG"
    with pytest.raises(UserError, match="the table has no row gop: its rows are selective_search, mcg, "):
        TABLES["3"].row("gop")
