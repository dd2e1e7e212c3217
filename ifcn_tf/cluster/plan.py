"""How long a cluster takes for many photographs, and what it waits for: a simulation, block by block."""

from __future__ import annotations

import dataclasses
import heapq
import math

import numpy as np

from ifcn_tf.config.settings import Settings, require

#: That are simulated, in half a minute [count].
MOST_TASKS = 10_000_000


@dataclasses.dataclass(frozen=True)
class PlanConfig(Settings):
    """A run, and the machines that it has.

    What a photograph takes was measured with the bundled model at seven scales on two cores (`docs/cluster.md`); the
    rest is to be replaced by what the reader's own cluster has.
    """

    photographs: int = 1_000_000
    """To propose for [count]."""
    machines: int = 1_000
    """That work at once [count]."""
    actors: int = 8
    """Predictors on each [count]."""
    images_per_task: int = 16
    """Photographs that one of them gets at a time [count]."""
    seconds: float = 2.1
    """An actor's time for a photograph [s]."""
    start_seconds: float = 20.0
    """Until an actor has its predictor, at first and after its machine failed [s]."""
    read_mb: float = 0.16
    """A photograph's file [MB]."""
    write_mb: float = 0.32
    """What is written of a photograph [MB]."""
    shared_mb_per_second: float = 5_000.0
    """What the shared disk reads and writes, of all machines together [MB/s]."""
    tasks_per_second: float = 120.0
    """Tasks that the head hands out [1/s]; so many one of two busy cores did."""
    merge_mb_per_second: float = 200.0
    """What one process copies, when it puts proposals.json together [MB/s]."""
    days_between_failures: float = 100.0
    """Of one machine, on average [days]."""
    seed: int = 0
    """Of failures, and of how much longer or shorter than others a task takes."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            require(value > 0 or field.name == "seed", f"{field.name} must be positive, not {value}.")
        require(self.seed >= 0, f"seed must not be negative, not {self.seed}.")
        require(
            self.tasks <= MOST_TASKS,
            f"{self.tasks:,} tasks are too many to simulate, over {MOST_TASKS:,}: plan with more images_per_task.",
        )
        require(self.lost_share < 0.5, "machines fail before they have done a task: plan with fewer images_per_task.")

    @property
    def tasks(self) -> int:
        """Of all photographs [count]."""
        return math.ceil(self.photographs / self.images_per_task)

    @property
    def task_seconds(self) -> float:
        """An actor's time for a task [s]."""
        return self.images_per_task * self.seconds

    @property
    def lost_share(self) -> float:
        """Part of the tasks that are lost by a failure of their machine."""
        return self.task_seconds / (self.days_between_failures * 86_400)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run takes.

    Attributes:
        seconds: until the last photograph is done [s].
        merge_seconds: and then until proposals.json is put together [s].
        stages: how long each stage alone would take, all others being free [s]; the longest is the bottleneck.
        failures: machines that failed and came back [count].
        again: photographs that were done again therefore [count].
    """

    seconds: float
    merge_seconds: float
    stages: dict[str, float]
    failures: int
    again: int

    @property
    def bottleneck(self) -> str:
        """The stage that the others wait for."""
        return max(self.stages, key=lambda stage: self.stages[stage])


def simulate(config: PlanConfig) -> Plan:
    """Gives tasks to actors, the next one to whoever is free first, until all photographs are done.

    A task takes an actor as long as its photographs, a fifth more or less; the head and the shared disk hand tasks out
    and take results in no faster than they can. A failing machine loses the tasks at hand, which others then do.
    """
    random = np.random.default_rng(config.seed)
    tasks = config.tasks
    at_once = min(config.machines * config.actors, tasks)
    shared = config.images_per_task * (config.read_mb + config.write_mb) / config.shared_mb_per_second
    pace = max(1 / config.tasks_per_second, shared)
    free = [config.start_seconds] * at_once
    handed_out, last, lost, left = 0.0, 0.0, 0, tasks
    while left:
        handed_out = max(heapq.heappop(free), handed_out + pace)
        end = handed_out + config.task_seconds * max(0.0, random.normal(1, 0.2))
        if random.random() < config.lost_share:
            lost += 1
            end += config.start_seconds
        else:
            left -= 1
            last = max(last, end)
        heapq.heappush(free, end)
    return Plan(
        last,
        config.photographs * config.write_mb / config.merge_mb_per_second,
        _stages(config, tasks, at_once),
        math.ceil(lost / config.actors),
        lost * config.images_per_task,
    )


def _stages(config: PlanConfig, tasks: int, at_once: int) -> dict[str, float]:
    per_mb = config.photographs / config.shared_mb_per_second
    return {
        "reading": config.read_mb * per_mb,
        "network": config.photographs * config.seconds / at_once,
        "writing": config.write_mb * per_mb,
        "handing out": tasks / config.tasks_per_second,
    }
