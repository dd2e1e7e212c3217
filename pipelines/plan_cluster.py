"""Says how long a cluster takes for many photographs, and what it waits for, by simulating its tasks; needs no cluster.

python -m pipelines.plan_cluster --photographs=100000000 --machines=1000
python -m pipelines.plan_cluster --photographs=1000000 --machines=20 --actors=4 --seconds=2.5 --days_between_failures=1
"""

from __future__ import annotations

from typing import Any

from absl import flags

from ifcn_tf.cluster.plan import Plan, PlanConfig, simulate

from . import _cli

#: Fields of `PlanConfig`, and what they are.
_FIELDS = {
    "photographs": "To propose for.",
    "machines": "That work at once.",
    "actors": "Predictors on each machine.",
    "images_per_task": "Photographs that a predictor gets at a time.",
    "seconds": "A predictor's time for a photograph [s].",
    "start_seconds": "Until a predictor is there [s].",
    "read_mb": "File of a photograph [MB].",
    "write_mb": "Files that are written of a photograph [MB].",
    "shared_mb_per_second": "What the shared disk reads and writes in all [MB/s].",
    "tasks_per_second": "Tasks that Ray's head hands out [1/s].",
    "merge_mb_per_second": "What one process copies [MB/s].",
    "days_between_failures": "Of one machine, on average [days].",
    "seed": "Of what is random.",
}


def _flag(name: str, text: str) -> flags.FlagHolder[Any]:
    default = getattr(PlanConfig(), name)
    return (flags.DEFINE_integer if isinstance(default, int) else flags.DEFINE_float)(name, default, text)


_FLAGS = {name: _flag(name, text) for name, text in _FIELDS.items()}


def main() -> None:
    """Flags -> simulation -> lines."""
    config = PlanConfig(**{name: flag.value for name, flag in _FLAGS.items()})
    print("\n".join(_lines(config, simulate(config))))


def _lines(config: PlanConfig, plan: Plan) -> list[str]:
    core_hours = config.photographs * config.seconds / 3600
    return [
        f"{config.photographs:,} photographs on {config.machines:,} machines of {config.actors} predictors",
        f"all proposed after {_duration(plan.seconds)}; proposals.json after {_duration(plan.merge_seconds)} more",
        f"waits for: {plan.bottleneck}",
        *(f"  {stage} alone: {_duration(seconds)}" for stage, seconds in plan.stages.items()),
        f"failed machines: {plan.failures:,}; photographs done again: {plan.again:,}",
        f"predictor hours: {core_hours:,.0f}",
    ]


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


if __name__ == "__main__":
    _cli.run(main)
