"""From the start of a process to its first masks, and its memory then and after many sizes: each engine in its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import UserError
from ifcn_tf.engines.loading import installed_engines

#: What a process is given: the model, the engine, the photograph, and how many sizes come after.
_PROGRAM = """
import sys, time
begin = time.perf_counter()
weights, engine, photograph, count = sys.argv[1:]
if engine == "tensorflow":
    import tensorflow
imported = time.perf_counter()
import ifcn_tf
predictor = ifcn_tf.load(weights, engine=engine)
predictor.propose(photograph)
answered = time.perf_counter()
import json
import numpy as np
from ifcn_tf.benchmarks.timing import peak_gib, resident_gib
first, level = peak_gib(), 0.0
sizes = np.random.default_rng(0).integers(200, 641, (int(count), 2))
for number, (height, width) in enumerate(sizes):
    predictor.propose(np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8))
    level = resident_gib() if number == len(sizes) // 2 else level
print(json.dumps({
    "engine": predictor.engine, "import_tensorflow_s": round(imported - begin, 2),
    "load_to_first_answer_s": round(answered - imported, 2), "peak_gib": first,
    "peak_after_sizes_gib": peak_gib(), "growth_in_second_half_gib": round(resident_gib() - level, 3),
}))
"""


def run(photograph: Path, files: Sequence[Path], weights: Path, sizes: int) -> Iterator[dict[str, Any]]:
    """Starts a process for TensorFlow with the weights, and one for each engine of each file.

    Args:
        photograph: the first that is proposed for.
        files: what `onnx_export` and `litert_export` wrote.
        weights: for TensorFlow.
        sizes: images of random sizes that are proposed for after it, up to 640 px a side.

    Yields:
        Rows of JSON types: seconds to the first masks without Python's own start, and memory.

    Raises:
        UserError: a process fails; says its last line.
    """
    runs = [("tensorflow", weights), *((name, file) for file in files for name in installed_engines(file.suffix))]
    for engine, model in runs:
        arguments = [str(model), engine, str(photograph), str(sizes)]
        done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{engine} fails on {model}: {(done.stderr.strip().splitlines() or ['killed'])[-1]}")
        yield json.loads(done.stdout.splitlines()[-1])
