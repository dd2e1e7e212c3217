"""Downloads the public data sets: resumed where they stopped, checked by sha256, then unpacked."""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from ifcn_tf.common.files import UserError, unfinished_folder
from ifcn_tf.common.progress import ProgressBar

_BLOCK = 1 << 20  # bytes
_MB = 1e6  # bytes


@dataclasses.dataclass(frozen=True)
class Archive:
    """One file of a data set.

    Attributes:
        url: where it is.
        sha256: of the whole file.
        root: the folder within the archive that becomes the data set's root, "" for the archive itself.
    """

    url: str
    sha256: str
    root: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rsplit("/", 1)[-1]


_COCO = "http://images.cocodataset.org"
_VOC = "http://host.robots.ox.ac.uk/pascal/VOC"
_BERKELEY = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping"
_COCO_ANNOTATIONS = {
    "2014": "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
    "2017": "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
}
_COCO_IMAGES = {
    "train2014": "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    "val2014": "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
    "train2017": "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    "val2017": "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
}
_VOC2012 = Archive(
    f"{_VOC}/voc2012/VOCtrainval_11-May-2012.tar",
    "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
    "VOCdevkit/VOC2012",
)
_SBD = Archive(
    f"{_BERKELEY}/semantic_contours/benchmark.tgz",
    "6a5a2918d5c73ce032fdeba876574d150d9d04113ab87540a1304cbcc715be53",
    "benchmark_RELEASE/dataset",
)


def archives(source: str, split: str) -> list[Archive]:
    """What a split of a public data set consists of; raises UserError when there is no such."""
    if source == "coco" and split in _COCO_IMAGES:
        year = split[-4:]
        return [
            Archive(f"{_COCO}/annotations/annotations_trainval{year}.zip", _COCO_ANNOTATIONS[year]),
            Archive(f"{_COCO}/zips/{split}.zip", _COCO_IMAGES[split]),
        ]
    if source in ("voc", "sbd"):
        return [_VOC2012 if source == "voc" else _SBD]
    known = f"--split={{{','.join(_COCO_IMAGES)}}} of coco, voc (2012) and sbd"
    raise UserError(f"there is no download of {source} {split}; there are {known}.")


def download(source: str, split: str, root: Path) -> None:
    """Downloads a data set and unpacks it into `root`; what is there already is not downloaded again.

    Args:
        source: "coco", "voc" (2012) or "sbd".
        split: of COCO, for example "train2017"; the others come with all their splits.
        root: gets the data set's own layout. The archives stay in `root/downloads`.

    Raises:
        UserError: no such data set, no connection, a full disk, or a file of another sha256.
    """
    for archive in archives(source, split):
        path = root / "downloads" / archive.name
        fetch(archive, path)
        done = path.with_name(f"{path.name}.unpacked")
        if not done.exists():
            print(f"unpacking {path}", flush=True)
            _unpack(archive, path, root)
            done.touch()


def fetch(archive: Archive, path: Path) -> None:
    """Downloads one file to `path`, which appears only when it is whole and its sha256 right.

    Until then it is `path`.part, which is kept, unlike what `whole_file` writes, for the next call to go on from.
    """
    if path.exists():
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _receive(archive, part)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != archive.sha256:
            part.unlink()
            raise UserError(f"{archive.url} has sha256 {found} and should have {archive.sha256}; download it again.")
        part.replace(path)
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        raise UserError(f"cannot download {archive.url} to {path}: {error}; run it again to resume.") from error


def _receive(archive: Archive, part: Path) -> None:
    """Appends what is missing to `part`."""
    begun = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={begun}-"} if begun else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return
        raise
    resumed = response.status == 206  # a server that cannot resume sends everything
    kept, rest = begun * resumed, int(response.headers.get("Content-Length", 0))
    bar = ProgressBar(archive.name, (kept + rest) / _MB or None, "MB", kept / _MB)
    with response, part.open("ab" if resumed else "wb") as file, bar:
        while block := response.read(_BLOCK):
            file.write(block)
            bar.advance(len(block) / _MB)
        received = file.tell() - kept
    if received < rest:
        raise ConnectionError(f"the connection ended after {received} of {rest} bytes")


def _unpack(archive: Archive, path: Path, root: Path) -> None:
    """Unpacks beside the archive, then moves the data set's folders into `root`."""
    try:
        with unfinished_folder(path.parent) as folder:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    packed.extractall(folder)
            else:
                with tarfile.open(path) as packed:
                    packed.extractall(folder, filter="data")
            shutil.copytree(folder / archive.root, root, dirs_exist_ok=True, copy_function=shutil.move)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot unpack {path} into {root}: {error}.") from error
