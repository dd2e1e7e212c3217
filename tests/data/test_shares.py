"""How often the photographs of several folders are shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.shares import folders_and_shares
from tests.support.prepared import prepare_shapes

CONFIG = DataConfig(shorter_sides=(64,))


@pytest.mark.parametrize(
    ("texts", "shares"),
    [
        (["a", "b"], []),
        (["a:3", "b:1"], [3, 1]),
        (["a:3", "b"], [3, 1]),
        (["a:4", "b:6", "c:2"], [2, 3, 1]),
        (["a:5", "b:5"], []),
        (["a:7"], []),
    ],
)
def test_shares_are_in_lowest_terms(texts, shares):
    assert folders_and_shares(texts) == ([Path(text.partition(":")[0]) for text in texts], shares)


@pytest.mark.parametrize("name", [r"C:\data", "gs://bucket/data", ":3"])
def test_other_colons_belong_to_the_name(name):
    assert folders_and_shares([name, "b:2"]) == ([Path(name), Path("b")], [1, 2])


def test_a_folder_of_that_very_name_wins(tmp_path):
    (tmp_path / "a:3").mkdir()
    assert folders_and_shares([f"{tmp_path}/a:3"]) == ([tmp_path / "a:3"], [])
    assert folders_and_shares([f"{tmp_path}/a:3:2", "b"]) == ([tmp_path / "a:3", Path("b")], [2, 1])


@pytest.mark.parametrize("share", ["0", "-1", "0.5", "x", "", "1001", "1e3"])
def test_other_shares_are_refused(share):
    with pytest.raises(UserError, match=rf"--data=a:{share}: there is no such folder, and '{share}' is no share of a"):
        folders_and_shares([f"a:{share}", "b"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of 2 and of 3 photographs; those of the second have the ids of the first and one more."""
    root = tmp_path_factory.mktemp("data")
    return [prepare_shapes(root / "a", 2), prepare_shapes(root / "b", 3, num_shards=1)]


def shown(folders, shares, count, **place):
    """What the first examples show: (id, sum of the pixels), at one size and unmirrored."""
    config = DataConfig(shorter_sides=(64,), flip_probability=0.0)
    examples = training_examples(folders, config, InstanceFCNConfig(), 7, shares=shares, **place)
    return [(t["image_id"], float(i["image"].sum())) for i, t in examples.take(count).as_numpy_iterator()]


def test_a_pass_shows_each_photograph_as_often_as_its_share(folders):
    """2 photographs three times and 3 once are 9 a pass."""
    first, second = shown(folders[:1], (), 2), shown(folders[1:], (), 3)
    found = shown(folders, (1, 3), 2 * 11)
    for one_pass in (found[:11], found[11:]):
        assert Counter(one_pass) == Counter(first) + Counter(3 * second)
    found = shown(folders, (3, 1), 2 * 9)
    for one_pass in (found[:9], found[9:]):
        assert Counter(one_pass) == Counter(3 * first) + Counter(second)
    assert found[:9] != found[9:]


def test_equal_shares_are_none(folders):
    assert shown(folders, (1, 1), 7) == shown(folders, (), 7)


def test_an_example_depends_on_its_number_only(folders):
    run = shown(folders, (3, 1), 20)
    assert shown(folders, (3, 1), 13, start=7) == run[7:]
    halves = [shown(folders, (3, 1), 10, shard=shard, num_shards=2, parallel_calls=shard + 1) for shard in (0, 1)]
    assert [element for pair in zip(*halves, strict=True) for element in pair] == run
