"""A command of the project that knows the tests' tiny trunk.

python -m tests.torture.small propose --weights=run/model.weights.h5 photographs
"""

import runpy
import sys

from ifcn_tf.config.network import TRUNKS

TRUNKS["tiny"] = "tests.support.tiny:TRUNK"  # by name, so that commands without TensorFlow stay quick
if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(f"pipelines.{sys.argv[0]}", run_name="__main__", alter_sys=True)
