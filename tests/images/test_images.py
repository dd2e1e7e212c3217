"""Image files as they come: every odd kind is read rightly or refused with one sentence."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from ifcn_tf.common.files import BadImageError
from ifcn_tf.images import tensors as images
from ifcn_tf.images.files import decode, open_image
from ifcn_tf.images.tensors import read_image, resize


def scene(height=24, width=40):
    """A smooth colour picture, dark on the left and bright at the top right: JPEG keeps it within a few levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 6, 255 - y * 9, (x + y) * 3], -1).clip(0, 255).astype(np.uint8)


def saved(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_resizing_keeps_colours():
    # RGB (10, 20, 30) stays RGB (10, 20, 30): no mean, no other order; a plain image stays plain at any size.
    image = np.tile(np.array([10, 20, 30], np.uint8), (4, 6, 1))
    result = resize(image, 8, 3).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, np.broadcast_to([10, 20, 30], (8, 3, 3)), atol=1e-4)


def test_resizing_keeps_pixel_centres():
    # Twice the size: the centre of the new pixel 1 is at 0.75 of the old ones, a quarter of the way from 0.5 to 1.5.
    image = np.array([[[0] * 3, [100] * 3]], np.uint8)
    values = resize(image, 1, 4).numpy()[0, :, 0]
    np.testing.assert_allclose(values, [0, 25, 75, 100], atol=1e-4)


def test_png_and_bmp_are_exact(tmp_path):
    for name in ("a.png", "a.bmp"):
        np.testing.assert_array_equal(read_image(saved(tmp_path, name, Image.fromarray(scene()))), scene())


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpeg_modes(tmp_path, mode):
    picture = Image.fromarray(scene()).convert(mode)
    read = read_image(saved(tmp_path, "a.jpg", picture, quality=98)).astype(int)
    assert abs(read - np.asarray(picture.convert("RGB"), int)).mean() < 4


def test_alpha_palette_and_16_bit_png(tmp_path):
    rgb = scene()
    alpha = Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 128, np.uint8)]))
    np.testing.assert_array_equal(read_image(saved(tmp_path, "alpha.png", alpha)), rgb)
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(
        read_image(saved(tmp_path, "palette.png", palette)), np.asarray(palette.convert("RGB"))
    )
    gray16 = rgb[..., 0].astype(np.uint16) * 256 + 255
    read = read_image(saved(tmp_path, "deep.png", Image.fromarray(gray16)))
    np.testing.assert_array_equal(read, np.repeat(rgb[..., :1], 3, 2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(tmp_path, orientation):
    # Pillow's own transposition is the reference, for all eight.
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, "turned.png", Image.fromarray(scene()), exif=exif)
    np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(Image.open(path))))


def test_gif_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((9, 7, 3), value, np.uint8)) for value in (50, 200)]
    path = saved(tmp_path, "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    assert (read_image(path) == 50).all()
    assert read_image(path).shape == (9, 7, 3)


def test_extreme_shapes_are_read(tmp_path):
    for height, width in ((1, 1), (10, 20_000)):
        path = saved(tmp_path, f"{height}.png", Image.new("RGB", (width, height)))
        assert read_image(path).shape == (height, width, 3)


def bomb(path, width, height):
    """A PNG of a few bytes whose header announces width x height pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def test_bad_files_are_refused_with_one_sentence(tmp_path):
    encoded = io.BytesIO()
    Image.fromarray(scene(200, 300)).save(encoded, "JPEG")
    encoded = encoded.getvalue()
    (tmp_path / "cut.jpg").write_bytes(encoded[: len(encoded) // 2])
    (tmp_path / "head.jpg").write_bytes(encoded[:30])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("this is no photograph")
    Image.fromarray(scene()).save(tmp_path / "other.webp")
    cut_png = saved(
        tmp_path, "cut.png", Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8))
    )
    cut_png.write_bytes(cut_png.read_bytes()[:2000])
    Image.fromarray(scene()).convert("P").save(tmp_path / "palette.bmp")
    bomb(tmp_path / "bomb.png", 30_000, 30_000)
    bomb(tmp_path / "large.png", 20_000, 6_000)
    for name, reason in {
        "cut.jpg": "damaged or cut off",
        "head.jpg": "not a readable JPEG",
        "empty.jpg": "is empty",
        "text.jpg": "not a readable JPEG",
        "other.webp": "not a readable JPEG",
        "cut.png": "damaged or cut off",
        "bomb.png": "has 30000 x 30000 pixels, over the limit of 100000000",
        "large.png": "has 20000 x 6000 pixels, over the limit of 100000000",
        "palette.bmp": "BMP of another kind",
        "absent.jpg": "No such file",
    }.items():
        with pytest.raises(BadImageError, match=reason) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_pixel_limit_can_be_set(tmp_path):
    path = saved(tmp_path, "a.png", Image.new("RGB", (30, 20)))
    assert read_image(path, max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(BadImageError, match="over the limit of 599"):
        read_image(path, max_pixels=599)


def test_a_photograph_with_broken_exif_is_still_read(tmp_path):
    path = saved(tmp_path, "a.jpg", Image.fromarray(scene()), exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    assert read_image(path).shape == scene().shape


def odd_pictures():
    rgb = scene()
    alpha = Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 128, np.uint8)]))
    turned = Image.Exif()
    turned[0x0112] = 7
    return {
        "rgb.png": (Image.fromarray(rgb), {}),
        "alpha.png": (alpha, {}),
        "gray_alpha.png": (alpha.convert("LA"), {}),
        "palette.png": (Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE), {"transparency": 3}),
        "bits.png": (Image.fromarray(rgb).convert("1"), {}),
        "deep.png": (Image.fromarray(rgb[..., 0].astype(np.uint16) * 256 + 255), {}),
        "turned.png": (Image.fromarray(rgb), {"exif": turned}),
        "a.gif": (Image.fromarray(rgb), {}),
        "a.bmp": (Image.fromarray(rgb), {}),
    }


@pytest.mark.parametrize("name", odd_pictures())
def test_pillow_reads_the_same_pixels(tmp_path, name):
    picture, options = odd_pictures()[name]
    path = saved(tmp_path, name, picture, **options)
    np.testing.assert_array_equal(decode(open_image(path), path), read_image(path))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_pillow_reads_almost_the_same_jpeg(tmp_path, mode):
    """TensorFlow's default transform is a faster and coarser one."""
    path = saved(tmp_path, "a.jpg", Image.fromarray(scene()).convert(mode), quality=98)
    assert abs(decode(open_image(path), path).astype(int) - read_image(path)).mean() < 4


def test_a_cut_file_is_damaged_for_pillow_too(tmp_path):
    for name in ("a.jpg", "a.png"):
        path = saved(tmp_path, name, Image.fromarray(photograph_like()))
        path.write_bytes(path.read_bytes()[:-400])
        sentences = []
        for read in (read_image, lambda path: decode(open_image(path), path)):
            with pytest.raises(BadImageError, match=r"is damaged or cut off") as caught:
                read(path)
            sentences.append(str(caught.value))
        assert sentences[0] == sentences[1]


def photograph_like():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)


def test_threads_leave_the_limit_of_pillow_as_it_was(tmp_path):
    path, limit = saved(tmp_path, "a.png", Image.fromarray(scene())), Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: open_image(path), range(300)))
    assert limit == Image.MAX_IMAGE_PIXELS


def test_jpegs_decode_as_by_pillow():
    """By the accurate transform both give the same pixels; the fast one differs in most of them."""
    sample = Path(__file__).parents[2] / "savedmodels" / "sample" / "coffee.jpg"
    encoded = sample.read_bytes()
    expected = np.asarray(Image.open(sample).convert("RGB"))
    np.testing.assert_array_equal(images.decode(tf.constant(encoded)), expected)
    assert np.mean(tf.io.decode_image(encoded).numpy() != expected) > 0.2
