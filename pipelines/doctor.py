"""Says what is installed on this machine and whether it works; the exit status is 1 where bundled weights are damaged.

python -m pipelines.doctor
"""

from __future__ import annotations

from . import _cli


def main() -> None:
    """Prints versions, processor, precision, extras, models, and the time that a photograph takes."""
    _cli.bound_memory()
    _cli.import_tensorflow()
    from ifcn_tf.benchmarks.installation import lines
    from ifcn_tf.predictor import load

    for line in lines(load):
        print(line, flush=True)


if __name__ == "__main__":
    _cli.run(main)
