"""Reads what `torch.save` wrote before PyTorch 1.6, without PyTorch: pickles, and then the bare numbers."""

import collections
import pickle
from pathlib import Path

import numpy as np

#: What the pickles of float and integer tensors name.
_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Tensor:
    """A view of numbers that follow later in the file."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def of(self, storages):
        numbers = storages[self.storage][self.offset :]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, [numbers.itemsize * s for s in self.strides])


class _Unpickler(pickle.Unpickler):
    """Knows tensors and dictionaries of them and nothing else."""

    def __init__(self, file):
        super().__init__(file)
        self.dtypes = {}

    def find_class(self, module, name):
        if name in _DTYPES:
            return _DTYPES[name]
        return {"OrderedDict": collections.OrderedDict, "_rebuild_tensor_v2": _Tensor}[name]

    def persistent_load(self, pid):
        _, dtype, key, _, count, _ = pid
        self.dtypes[key] = (dtype, count)
        return key


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        for _ in range(3):  # a magic number, a version, sizes of types
            pickle.load(file)
        unpickler = _Unpickler(file)
        tensors = unpickler.load()
        storages = {}
        for key in pickle.load(file):
            dtype, count = unpickler.dtypes[key]
            assert int.from_bytes(file.read(8), "little") == count
            storages[key] = np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype)
    return {name: tensor.of(storages) for name, tensor in tensors.items()}
