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

from ifcn_tf.annotations.label_images import open_labels
from ifcn_tf.common.files import BadImageError
from ifcn_tf.images import tensors
from ifcn_tf.images.files import decode, encode, is_lossy_webp, name_of_encoded, open_image, read_pixels
from ifcn_tf.images.geotiff import read_map_place
from ifcn_tf.images.tensors import read_image, resize

KINDS = {"webp": "WEBP", "tif": "TIFF"}


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
    (tmp_path / "vector.svg").write_text("<svg></svg>")
    for kind in ("webp", "tif"):
        (tmp_path / f"cut.{kind}").write_bytes(encode(Image.fromarray(photograph_like()), KINDS[kind])[:-2000])
    Image.fromarray(scene()[..., 0].astype(np.float32)).save(tmp_path / "depth.tif")
    cut_png = saved(
        tmp_path, "cut.png", Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8))
    )
    cut_png.write_bytes(cut_png.read_bytes()[:2000])
    bomb(tmp_path / "bomb.png", 30_000, 30_000)
    bomb(tmp_path / "large.png", 20_000, 6_000)
    for name, reason in {
        "cut.jpg": "damaged or cut off",
        "head.jpg": "not a readable JPEG",
        "empty.jpg": "is empty",
        "text.jpg": "not a readable JPEG",
        "vector.svg": "not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image",
        "cut.webp": "not a readable JPEG",
        "cut.tif": "damaged or cut off",
        "depth.tif": "is a TIFF of 32-bit values, whose range is not known; save it with 8 or 16 bits",
        "cut.png": "damaged or cut off",
        "bomb.png": "has 30000 x 30000 pixels, over the limit of 100000000",
        "large.png": "has 20000 x 6000 pixels, over the limit of 100000000",
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
    exif = Image.Exif()
    exif[0x0112] = 7
    return {
        "rgb.png": (Image.fromarray(rgb), {}),
        "alpha.png": (alpha, {}),
        "gray_alpha.png": (alpha.convert("LA"), {}),
        "palette.png": (Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE), {"transparency": 3}),
        "bits.png": (Image.fromarray(rgb).convert("1"), {}),
        "deep.png": (Image.fromarray(rgb[..., 0].astype(np.uint16) * 256 + 255), {}),
        "turned.png": (Image.fromarray(rgb), {"exif": exif}),
        "a.gif": (Image.fromarray(rgb), {}),
        "a.bmp": (Image.fromarray(rgb), {}),
        "palette.bmp": (Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE), {}),
        "lossless.webp": (Image.fromarray(rgb), {"lossless": True}),
        "lossy.webp": (Image.fromarray(rgb), {}),
        "alpha.webp": (alpha, {"lossless": True, "exact": True}),
        "turned.webp": (Image.fromarray(rgb), {"lossless": True, "exif": exif}),
        "moving.webp": (Image.fromarray(rgb), {"save_all": True, "append_images": [alpha], "lossless": True}),
        "rgb.tif": (Image.fromarray(rgb), {}),
        "packed.tiff": (Image.fromarray(rgb), {"compression": "tiff_lzw"}),
        "alpha.tif": (alpha, {}),
        "palette.tif": (Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE), {}),
        "gray.tif": (Image.fromarray(rgb[..., 0]), {}),
        "bits.tif": (Image.fromarray(rgb).convert("1"), {"compression": "group4"}),
        "deep.tif": (Image.fromarray(rgb[..., 0].astype(np.uint16) * 256 + 255), {}),
        "cmyk.tif": (Image.fromarray(rgb).convert("CMYK"), {}),
        "turned.tif": (Image.fromarray(rgb), {"exif": exif}),
        "pages.tif": (Image.fromarray(rgb), {"save_all": True, "append_images": [Image.new("L", (7, 9))]}),
    }


@pytest.mark.parametrize("name", odd_pictures())
def test_pillow_reads_the_same_pixels(tmp_path, name):
    picture, options = odd_pictures()[name]
    path = saved(tmp_path, name, picture, **options)
    np.testing.assert_array_equal(read_pixels(path), read_image(path))


def test_what_tensorflow_cannot_decode_has_its_pixels_too(tmp_path):
    """By kind: as it was drawn, gray, by a palette, in two values, or turned."""
    rgb = scene()
    palette = np.asarray(Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"))
    gray = np.repeat(rgb[..., :1], 3, 2)
    expected = {"gray.tif": gray, "deep.tif": gray, "turned.webp": turned(rgb), "turned.tif": turned(rgb)}
    expected |= {"palette.bmp": palette, "palette.tif": palette}
    expected |= {"bits.tif": np.asarray(Image.fromarray(rgb).convert("1").convert("RGB"))}
    for name, (picture, options) in odd_pictures().items():
        if name.endswith((".png", ".gif", "lossy.webp")):
            continue
        read = read_image(saved(tmp_path, name, picture, **options))
        assert (read.dtype, read.flags.c_contiguous) == (np.uint8, True)
        np.testing.assert_array_equal(read, expected.get(name, rgb), err_msg=name)


def turned(rgb):
    """EXIF's 7: rows and columns exchanged, and then both turned round."""
    return rgb.transpose(1, 0, 2)[::-1, ::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "packed.tif", "a.webp"])
def test_webp_and_tiff_are_upright(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"packed.tif": {"compression": "tiff_lzw"}, "a.webp": {"lossless": True}}.get(name, {})
    path = saved(tmp_path, name, Image.fromarray(scene()), exif=exif, **options)
    as_png = saved(tmp_path, "a.png", Image.fromarray(scene()), exif=exif)
    np.testing.assert_array_equal(read_image(path), read_image(as_png))


def test_the_limit_of_pixels_is_ours_alone(tmp_path, monkeypatch):
    """Pillow has one of its own, which it looks at again while it decodes a TIFF."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for name in ("a.tif", "a.webp", "a.gif", "a.bmp"):
        assert read_image(saved(tmp_path, name, Image.fromarray(scene()))).shape == scene().shape
        with pytest.raises(BadImageError, match="over the limit of 959"):
            read_image(tmp_path / name, max_pixels=959)
    labels = saved(tmp_path, "labels.png", Image.fromarray(scene()[..., 0]))
    assert open_labels(labels).shape == scene().shape[:2]
    assert read_map_place(tmp_path / "a.tif") is None
    assert Image.MAX_IMAGE_PIXELS == 100


def test_lossy_webp_is_told_from_lossless():
    picture, alpha = (Image.fromarray(photograph_like()).convert(mode) for mode in ("RGB", "RGBA"))
    for chosen in ({}, {"exif": Image.Exif()}, {"save_all": True, "append_images": [alpha]}, {"icc_profile": b"abc"}):
        assert is_lossy_webp(encode(picture, "WEBP", **chosen))
        assert is_lossy_webp(encode(alpha, "WEBP", **chosen))
        assert not is_lossy_webp(encode(picture, "WEBP", lossless=True, **chosen))
    assert not is_lossy_webp(b"RIFF")


def test_the_name_of_what_was_encoded_anew():
    png, jpeg = encode(Image.new("RGB", (2, 2)), "PNG"), encode(Image.new("RGB", (2, 2)), "JPEG")
    for encoded, names in (
        (png, {"a.tif": "a.tif.png", "b/a.GIF": "b/a.GIF.png", "a.png": "a.png"}),
        (jpeg, {"a.webp": "a.webp.jpg", "a.JPG": "a.JPG", "a": "a"}),
    ):
        assert {name: name_of_encoded(name, encoded) for name in names} == names


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
    np.testing.assert_array_equal(tensors.decode(tf.constant(encoded)), expected)
    assert np.mean(tf.io.decode_image(encoded).numpy() != expected) > 0.2
