"""Photographs in a bucket, which a server of this machine holds: the results are those of a folder."""

import json
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.images.bucket import read_ahead
from ifcn_tf.images.files import read_pixels, upright_size
from ifcn_tf.masks.rle import encode
from ifcn_tf.results.folder import find_images
from ifcn_tf.results.formats.registry import require_writable
from tests.cluster.command import ROOT, start
from tests.support.exported import encoded, scene

NAMES = [*(f"{number}.png" for number in range(20)), "000000000139.jpg", "a #1 & 50% of ö?.png"]
FORMATS = ["--format=contact_sheet", "--format=csv", "--format=cvat", "--format=geojson", "--format=yolo"]


@pytest.fixture(scope="module")
def server():
    """Where S3 is spoken: what stands behind the `?` of an address."""
    pytest.importorskip("moto.server", reason="moto is not installed: pip install '.[bucket]'")
    pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed: pip install '.[arrow]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(process, port)
        yield f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
    finally:
        process.terminate()
        process.wait()


def wait_for(process, port):
    while process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


class Bucket:
    """A bucket with photographs in a folder."""

    def __init__(self, name, server):
        from pyarrow.fs import FileSystem

        self.name, self.address = name, f"s3://{name}/photographs?{server}"
        self.files = FileSystem.from_uri(f"s3://{name}?{server}&allow_bucket_creation=true")[0]
        self.files.create_dir(name)

    def write(self, name, content):
        with self.files.open_output_stream(f"{self.name}/photographs/{name}") as file:
            file.write(content)

    def remove(self, name):
        self.files.delete_file(f"{self.name}/photographs/{name}")


@pytest.fixture
def bucket(server, request, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    return Bucket(request.node.name.replace("_", "-")[:60].strip("-"), server)


@pytest.fixture
def photographs(bucket, tmp_path):
    """A folder and a bucket of the same files: photographs, one of them cut off, what is none, and a folder."""
    folder = tmp_path / "photographs"
    (folder / "further").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(encoded(scene(number, (30, 40)), "PNG" if name.endswith("png") else "JPEG"))
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:100])
    for name in ("notes.txt", "further/19.png"):
        (folder / name).write_bytes(b"not looked at")
    for path in folder.rglob("*.*"):
        bucket.write(path.relative_to(folder).as_posix(), path.read_bytes())
    return folder


def finished(process):
    out, err = process.communicate(timeout=200)
    assert (process.returncode, f"{len(NAMES)} of {len(NAMES) + 1} image(s) done" in out) == (1, True), err
    return out


def rows(output):
    """Of the table; where the photograph is that failed is left out."""
    from pyarrow.parquet import read_table

    found = read_table(output / "parquet.parquet").to_pylist()
    return [row | {"error": row["error"] and row["error"].rpartition("/")[2]} for row in found]


def files(output):
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.*") if path.suffix != ".parquet"}


def test_the_results_are_those_of_a_folder(cluster, nodes, bucket, photographs, tmp_path):
    finished(start(photographs, tmp_path / "folder", *FORMATS))
    expected = files(tmp_path / "folder")
    del expected[Path("run.json")]
    for output, more in (("alone", []), ("together", [f"--cluster={cluster.address}", "--images_per_task=4"])):
        said = finished(start(bucket.address, tmp_path / output, *FORMATS, *more))
        assert f"failed: s3://{bucket.name}/photographs/cut.png is damaged" in said
        found = files(tmp_path / output)
        run = json.loads(found.pop(Path("run.json")))
        assert (run["images"], run["places"]["images"]) == ([f"s3://{bucket.name}/photographs"], [bucket.address])
        assert found.keys() == expected.keys()
        assert [name for name in found if found[name] != expected[name]] == []
        assert rows(tmp_path / output) == rows(tmp_path / "folder")


def test_a_run_that_is_resumed_does_what_is_new(cluster, nodes, bucket, photographs, tmp_path):
    output, where = tmp_path / "out", f"--cluster={cluster.address}"
    finished(start(bucket.address, output, where))
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("parts/*.json")}
    (output / "parts" / "7.json").unlink()
    time.sleep(1.1)  # a bucket knows seconds
    bucket.write("5.png", (photographs / "6.png").read_bytes())
    finished(start(bucket.address, output, where, "--resume"))
    after = {path.name: path.stat().st_mtime_ns for path in output.glob("parts/*.json")}
    assert {name for name in after if after[name] != before[name]} == {"5.json", "7.json"}
    masks = {row["image_id"]: row["masks"] for row in rows(output)}
    assert masks["5"] == masks["6"] != masks["7"]


def test_an_object_is_read_as_a_file_is(bucket, photographs):
    found = find_images(bucket.address)
    assert [path.name for path in found] == [path.name for path in find_images(str(photographs))]
    for path in pickle.loads(pickle.dumps(found)):
        copy = photographs / path.name
        assert (path.read_bytes(), path.stem, path.is_file()) == (copy.read_bytes(), copy.stem, True)
        assert abs(path.stat().st_mtime - copy.stat().st_mtime) < 60
    one = bucket.address.replace("?", "/000000000139.jpg?")
    (path,) = find_images(one)
    assert upright_size(path) == (30, 40) and str(path) == f"s3://{bucket.name}/photographs/000000000139.jpg"


def test_an_object_that_is_gone_is_a_bad_image(bucket, photographs):
    paths = find_images(bucket.address)
    bucket.remove("3.png")
    (gone,) = (path for path in paths if path.name == "3.png")
    with pytest.raises(BadImageError, match=r"cannot read s3://.*/photographs/3\.png: No such file or directory\."):
        read_pixels(gone)


def test_what_is_read_ahead_is_held_while_it_is_needed(bucket, photographs):
    (path,) = find_images(bucket.address.replace("?", "/3.png?"))
    with read_ahead([path, photographs / "3.png"]):
        first = path.read_bytes()
        bucket.remove("3.png")
        assert path.read_bytes() == first == (photographs / "3.png").read_bytes()


def test_what_cannot_be_is_said_in_one_sentence(bucket, photographs, monkeypatch):
    place, query = bucket.address.split("?")
    elsewhere = query.replace(query.partition("&")[0], "endpoint_override=127.0.0.1:1")
    for address, sentence in (
        (f"s3://{bucket.name}/none?{query}", f"no images at s3://{bucket.name}/none?"),
        (f"s3://no-such-bucket/photographs?{query}", "no images at s3://no-such-bucket/photographs?"),
        (f"{place}?{elsewhere}", f"cannot read {place}?.*127.0.0.1:1"),
        (f"{place}?colour=red", f"s3://{bucket.name}?colour=red is no address of a bucket"),
        (f"s3://me:secret@{bucket.name}/x?{query}", "leave keys out, set AWS_ACCESS_KEY_ID"),
    ):
        with pytest.raises(UserError, match=sentence.replace("?", r"\?")) as error:
            find_images(address)
        assert "secret" not in str(error.value) and "\n" not in str(error.value)
    paths = find_images(bucket.address)
    for name in ("labelme", "fiftyone"):
        with pytest.raises(UserError, match=f"{name} says where photographs lie on a disk.*mount the bucket"):
            require_writable([name], paths)
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    with pytest.raises(UserError, match=r"s3:// needs pyarrow: pip install 'ifcn-tf\[arrow\]'"):
        find_images(f"s3://another-bucket/x?{query}")


def test_results_are_converted(bucket, photographs, tmp_path):
    result = {"image_id": 139, "score": 0.5, "segmentation": encode(np.eye(30, 40, dtype=bool))}
    (tmp_path / "results.json").write_text(json.dumps([result]))
    for name, images in (("bucket", bucket.address), ("folder", photographs)):
        line = [f"--input={tmp_path}/results.json", f"--images={images}", "--to=coco_annotations"]
        program = [sys.executable, "-m", "pipelines.convert", *line, f"--output={tmp_path}/{name}.json"]
        subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    assert (tmp_path / "bucket.json").read_bytes() == (tmp_path / "folder.json").read_bytes()
