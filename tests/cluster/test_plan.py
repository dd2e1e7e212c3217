"""Plans whose answers can be said by hand."""

import pytest

from ifcn_tf.cluster.plan import PlanConfig, simulate
from ifcn_tf.common.files import UserError

#: Nothing but the network takes time, and nothing fails.
FREE = {"shared_mb_per_second": 1e12, "tasks_per_second": 1e9, "days_between_failures": 1e12, "start_seconds": 1e-9}


def test_one_actor_takes_its_time_for_each():
    plan = simulate(PlanConfig(photographs=16_000, machines=1, actors=1, seconds=2.0, **FREE))
    assert plan.seconds == pytest.approx(32_000, rel=0.02)  # tasks take a fifth more or less
    assert (plan.bottleneck, plan.failures, plan.again) == ("network", 0, 0)


def test_a_thousand_actors_share():
    plan = simulate(PlanConfig(photographs=1_600_000, machines=100, actors=10, seconds=2.0, **FREE))
    assert plan.seconds == pytest.approx(3_200, rel=0.03)


def test_more_actors_than_tasks_do_not_help():
    few, many = (simulate(PlanConfig(photographs=160, machines=m, actors=1, **FREE)).seconds for m in (10, 1_000))
    assert few == many


def test_a_slow_disk_is_waited_for():
    """A million photographs of .2 + .3 MB by 100 MB/s."""
    slow = {**FREE, "shared_mb_per_second": 100.0}
    plan = simulate(PlanConfig(photographs=1_000_000, machines=1_000, read_mb=0.2, write_mb=0.3, seconds=0.1, **slow))
    assert plan.seconds == pytest.approx(5_000, rel=0.01)
    assert plan.stages["reading"] == pytest.approx(2_000) and plan.bottleneck == "writing"


def test_the_head_hands_out_so_many_tasks():
    plan = simulate(
        PlanConfig(photographs=160_000, machines=1_000, seconds=0.001, **{**FREE, "tasks_per_second": 10.0})
    )
    assert plan.seconds == pytest.approx(1_000, rel=0.01)
    assert plan.bottleneck == "handing out"


def test_failures_cost_the_tasks_at_hand():
    """An actor works 3,200,000 s, its machine fails each 86,400 s: 37 times, and loses a task of 16 each time."""
    failing = {**FREE, "days_between_failures": 1.0}
    plan = simulate(PlanConfig(photographs=1_600_000, machines=1, actors=1, seconds=2.0, **failing))
    assert 37 - 18 < plan.failures < 37 + 18  # three deviations
    assert plan.again == 16 * plan.failures


def test_merging_is_copying():
    assert simulate(PlanConfig(photographs=1_000, write_mb=0.4, merge_mb_per_second=100.0)).merge_seconds == 4


def test_machines_that_fail_before_they_have_done_a_task_are_refused():
    """A task takes 40 s, a machine fails each 79 s: more are lost than done."""
    with pytest.raises(UserError, match="fewer images_per_task"):
        PlanConfig(images_per_task=16, seconds=2.5, days_between_failures=79 / 86_400)
    assert PlanConfig(images_per_task=16, seconds=2.5, days_between_failures=81 / 86_400).lost_share < 0.5


def test_nothing_is_none():
    with pytest.raises(UserError, match="machines must be positive, not 0"):
        PlanConfig(machines=0)
    with pytest.raises(UserError, match="seed must not be negative, not -1"):
        PlanConfig(seed=-1)


def test_more_tasks_than_can_be_simulated_are_refused():
    with pytest.raises(UserError, match=r"10,000,001 tasks are too many .* plan with more images_per_task"):
        PlanConfig(photographs=20_000_001, images_per_task=2)
