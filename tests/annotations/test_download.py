"""Downloads from a server on this machine: resumed, checked, unpacked."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from ifcn_tf.annotations import download
from ifcn_tf.common.files import UserError

CONTENT = bytes(range(256)) * 40


class Server(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT, from the byte that is asked for; the class of each server notes the ranges."""

    def __init__(self, asked, *args):
        self.asked = asked
        super().__init__(*args)

    def do_GET(self):
        requested = self.headers.get("Range")
        self.asked.append(requested)
        begin = int(requested[6:-1]) if requested else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if requested else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        cut = begin + 1000 if self.path.endswith("cut") and not requested else len(CONTENT)
        self.wfile.write(CONTENT[begin:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """(address, list of the ranges that were asked for)."""
    asked: list[str | None] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, asked)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


def archive(address, content=CONTENT):
    return download.Archive(f"{address}/file", hashlib.sha256(content).hexdigest())


def test_download_then_nothing(server, tmp_path):
    address, asked = server
    for _ in range(2):
        download.fetch(archive(address), tmp_path / "a" / "file")
        assert (tmp_path / "a" / "file").read_bytes() == CONTENT
    assert asked == [None]


@pytest.mark.parametrize("present", [1, 3000, len(CONTENT)])
def test_a_begun_download_is_resumed(server, tmp_path, present):
    address, asked = server
    (tmp_path / "file.part").write_bytes(CONTENT[:present])
    download.fetch(archive(address), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert asked == [f"bytes={present}-"]
    assert not (tmp_path / "file.part").exists()


def test_a_lost_connection_keeps_what_came(server, tmp_path):
    address, asked = server
    cut = download.Archive(f"{address}/cut", hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(UserError, match="ended after 1000 of 10240 bytes; run it again to resume"):
        download.fetch(cut, tmp_path / "file")
    download.fetch(cut, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert asked == [None, "bytes=1000-"]


def test_another_checksum_is_an_error(server, tmp_path):
    address, _ = server
    with pytest.raises(UserError, match=r"has sha256 .* and should have"):
        download.fetch(archive(address, b"other"), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"cannot download http://127.0.0.1:9/file"):
        download.fetch(archive("http://127.0.0.1:9"), tmp_path / "file")


def test_archives_are_unpacked_into_the_root(tmp_path, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("outer/data/img/a.jpg", "image")
        file.writestr("outer/readme", "not data")
    fetched = download.Archive("http://nowhere/file.zip", "", "outer/data")
    monkeypatch.setattr(download, "archives", lambda source, split: [fetched])
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "file.zip").write_bytes(packed.getvalue())
    download.download("sbd", "train", tmp_path)
    download.download("sbd", "train", tmp_path)
    assert (tmp_path / "img" / "a.jpg").read_text() == "image"
    assert not (tmp_path / "readme").exists()
    assert sorted(p.name for p in (tmp_path / "downloads").iterdir()) == ["file.zip", "file.zip.unpacked"]


def test_known_sets():
    for source, split in (("coco", "train2017"), ("coco", "val2014"), ("voc", "train"), ("sbd", "val")):
        for found in download.archives(source, split):
            assert len(found.sha256) == 64 and found.url.startswith("http")
    with pytest.raises(UserError, match="there is no download of coco train2099"):
        download.archives("coco", "train2099")
