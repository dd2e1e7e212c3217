"""An exported model behind HTTP, asked by eight clients at once, a tenth of whose photographs are damaged.

The first of them come beside rude visitors, and one photograph has 100 MB.
"""

from __future__ import annotations

import concurrent.futures
import gc
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ifcn_tf.benchmarks.timing import resident_gib
from ifcn_tf.common.memory import give_back_memory
from ifcn_tf.serving import connect
from ifcn_tf.serving.transport import INPUT, SIGNATURE, Transport
from tests.support.exported import encoded, scene, session
from tests.support.fake_server import rest_server
from tests.torture.mutation import mutated
from tests.torture.rude import LARGE, Target, rude_visitors

_CLIENTS, _DAMAGED = 8, 0.1
#: Different photographs.
_IMAGES = 100
#: Shares of the requests: which come beside rude visitors, and after which memory has its level.
_RUDE, _LEVEL = 0.1, 0.2
#: How much memory may be added after that [MiB].
_GROWTH = 32


def campaign(count: int, seed: int, folder: Path) -> Iterator[str]:
    """Asks `count` times; yields answers that are wrong, and growing memory."""
    random = np.random.default_rng(seed)
    images = [_image(number, random) for number in range(_IMAGES)]
    model = session()
    expected = [model(image_bytes=[image]) for image in images]
    requests = [_request(images, expected, random) for _ in range(count)]
    rude, early = int(_RUDE * count), int(_LEVEL * count)
    with (
        rest_server(lambda image: model(image_bytes=[image])) as server,
        concurrent.futures.ThreadPoolExecutor(_CLIENTS) as pool,
    ):
        transport = connect(server, timeout=60).transport

        def asked(some: list[_Request]) -> Iterator[str]:
            yield from filter(None, pool.map(lambda request: _wrong(transport, *request), some))

        with rude_visitors(_target(server)) as failed:
            yield from asked([(bytes(LARGE), None), *requests[:rude]])
        yield from failed
        yield from asked(requests[rude:early])
        level = _memory_mib()
        yield from asked(requests[early:])
        grown = _memory_mib() - level
    if grown > _GROWTH:
        yield f"memory grows by {grown:.0f} MiB over the {level:.0f} MiB after {early} requests"


#: What an answer is of, and the outputs that are right; None of a damaged photograph.
_Request = tuple[bytes, dict[str, np.ndarray] | None]


def _target(server: str) -> Target:
    host, _, port = server.partition(":")
    begin = json.dumps({"signature_name": SIGNATURE, "inputs": {INPUT: [{"b64": ""}]}})[: -len('"}]}}')].encode()
    return Target((host, int(port)), "/v1/models/ifcn:predict", "application/json", begin)


def _image(number: int, random: np.random.Generator) -> bytes:
    height, width = random.integers(1, 200, 2).tolist()
    return encoded(scene(number, (height, width)), ("JPEG", "PNG")[number % 2])


def _request(images: list[bytes], expected: list[dict[str, np.ndarray]], random: np.random.Generator) -> _Request:
    number = int(random.integers(len(images)))
    if random.random() < _DAMAGED:
        return mutated(images[number], random), None
    return images[number], expected[number]


def _wrong(transport: Transport, image: bytes, expected: dict[str, np.ndarray] | None) -> str:
    """What is wrong about an answer; damage that leaves a photograph is answered with its proposals."""
    answer = transport.predict(image, 0)
    error = str(answer["error"][0])
    if expected is None:
        return "" if bool(error) == (answer["image_hw"] == 0).all() else f"{error!r} for {answer['image_hw']}"
    if error:
        return f"refuses a photograph: {error}"
    differing = [name for name, value in expected.items() if value.dtype != object and (answer[name] != value).any()]
    return f"answers other {', '.join(differing)} than alone" if differing else ""


def _memory_mib() -> float:
    """What this process has in memory, without what it has freed [MiB]."""
    gc.collect()
    give_back_memory()
    return 1024 * resident_gib()
