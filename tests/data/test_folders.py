"""The user's own pictures: any kind of file, upright, never lost silently; and where a crop lies in its file."""

import numpy as np
import pytest
from PIL import Image

from seedscope.data import assemble
from seedscope.data.decoding import cut, upright_rgb
from seedscope.data.folders import Album, ClassFolders
from seedscope.files.errors import SeedscopeError, SettingError

RED, GREEN = (200, 40, 30), (10, 180, 60)


def plain(path, colour=RED, size=(40, 30), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("SEEDSCOPE_DATA", raising=False)
    return tmp_path


def mean_colour(path):
    return np.asarray(upright_rgb(path), dtype=float).mean((0, 1))


@pytest.mark.parametrize(
    ("name", "mode", "tolerance"),
    [
        ("rgb.png", "RGB", 0),
        ("palette.png", "P", 1),
        ("palette.gif", "P", 1),
        ("rgb.jpg", "RGB", 3),
        ("cmyk.jpg", "CMYK", 4),
        ("cmyk.tif", "CMYK", 1),
        ("rgb.webp", "RGB", 8),
        ("rgb.bmp", "RGB", 0),
    ],
)
def test_any_mode_becomes_the_same_colour(here, name, mode, tolerance):
    plain(here / name, mode=mode)
    assert upright_rgb(here / name).mode == "RGB"
    assert np.abs(mean_colour(here / name) - RED).max() <= tolerance


def test_grey_one_bit_and_sixteen_bit_keep_their_brightness(here):
    Image.new("L", (5, 4), 77).save(here / "grey.png")
    Image.new("1", (5, 4), 1).save(here / "bit.png")
    Image.fromarray(np.full((4, 5), 77 * 257, dtype=np.uint16)).save(here / "deep.png")
    Image.fromarray(np.full((4, 5), 77 * 257, dtype=np.uint16)).save(here / "deep.tif")
    Image.fromarray(np.full((4, 5), 77 / 255, dtype=np.float32)).save(here / "float.tif")
    for name in ("grey.png", "deep.png", "deep.tif", "float.tif"):
        np.testing.assert_array_equal(mean_colour(here / name), [77, 77, 77], err_msg=name)
    np.testing.assert_array_equal(mean_colour(here / "bit.png"), [255, 255, 255])


def test_what_is_transparent_lies_on_white(here):
    Image.new("RGBA", (4, 4), (*RED, 0)).save(here / "clear.png")
    Image.new("RGBA", (4, 4), (0, 0, 0, 127)).save(here / "half.png")
    Image.new("LA", (4, 4), (0, 0)).save(here / "grey.png")
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([*RED, *GREEN])
    palette.save(here / "palette.png", transparency=0)
    for name in ("clear.png", "grey.png", "palette.png"):
        np.testing.assert_array_equal(mean_colour(here / name), [255, 255, 255], err_msg=name)
    np.testing.assert_allclose(mean_colour(here / "half.png"), [128, 128, 128], atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(here, orientation):
    """A red mark at the top left of what is meant to be seen, stored turned in each of the eight ways."""
    meant = np.zeros((6, 10, 3), dtype=np.uint8)
    meant[:2, :3] = RED
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(undo[orientation](meant))).save(here / "turned.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(upright_rgb(here / "turned.png")), meant)


@pytest.mark.parametrize(("width", "height"), [(90, 60), (60, 90), (60, 60), (4000, 3), (1, 1)])
def test_a_pixel_of_the_crop_is_found_again_in_the_file(width, height):
    """The picture is its own coordinate system: red grows with y, green with x."""
    ramp = np.zeros((height, width, 3))
    ramp[..., 0] = (np.arange(height)[:, None] + 0.5) / height * 255
    ramp[..., 1] = (np.arange(width)[None, :] + 0.5) / width * 255
    picture = Image.fromarray(ramp.round().astype(np.uint8))
    for fit in ("crop", "stretch"):
        image, (top, left, tall, wide) = cut(picture, 20, 24, fit)
        assert image.shape == (3, 20, 20)
        if min(width, height) < 20:
            continue  # an enlarged ramp is flat at its borders
        inner = slice(2, -2)
        y = (top + (np.arange(20) + 0.5) * tall / 20) / height
        x = (left + (np.arange(20) + 0.5) * wide / 20) / width
        np.testing.assert_allclose(
            image[0][inner, inner], np.broadcast_to(y[:, None], (20, 20))[inner, inner], atol=0.02
        )
        np.testing.assert_allclose(image[1][inner, inner], np.broadcast_to(x[None], (20, 20))[inner, inner], atol=0.02)
    assert cut(picture, 20, 24, "stretch")[1] == (0, 0, height, width)


def test_files_that_cannot_be_read_are_all_named_and_refused_or_skipped(here, capsys):
    plain(here / "album" / "a.png")
    (here / "album" / "b.jpg").write_bytes(b"no picture")
    plain(here / "album" / "c.png")
    whole = (here / "album" / "c.png").read_bytes()
    (here / "album" / "c.png").write_bytes(whole[: len(whole) // 2])
    (here / "album" / "notes.txt").write_text("no picture, and not called one: perhaps one in another format")
    (here / "album" / ".hidden.jpg").write_bytes(b"")
    with pytest.raises(SeedscopeError) as refused:
        Album("album").probe()
    assert "album/b.jpg cannot be read as a picture" in str(refused.value)
    assert "album/c.png cannot be read as a picture" in str(refused.value)
    assert "album/notes.txt cannot be read as a picture" in str(refused.value)
    assert "unreadable: skip" in str(refused.value)
    assert "\n" not in str(refused.value)
    seen = Album("album", unreadable="skip").probe()
    assert seen.file.values.tolist() == ["a.png"]
    said = capsys.readouterr().err
    assert said.count("skipped") == 3
    assert "b.jpg" in said


def test_an_album_has_no_labels_and_keeps_where_each_crop_lies(here):
    plain(here / "album" / "wide.png", size=(90, 60))
    plain(here / "album" / "tall.JPG", size=(60, 90))
    (here / "names.txt").write_text("n02504458 African elephant, Loxodonta africana\nn02124075 Egyptian cat\n\n")
    album = Album("album", size=20, resize=24, classes="names.txt")
    whole = assemble(album)
    assert whole.image.shape == (2, 3, 20, 20)
    assert whole.label.values.tolist() == [-1, -1]
    assert set(whole.split.values) == {"probe"}
    assert whole.file.values.tolist() == ["tall.JPG", "wide.png"]
    assert whole.file_height.values.tolist() == [90, 60]
    np.testing.assert_allclose(whole.crop_height, 50)
    np.testing.assert_allclose(whole.crop_y, [20, 5])
    assert len(album.class_names) == 2
    assert assemble(Album("album")).attrs["class_names"].size == 0


def make_classes(here, counts, split=None):
    for name, count in counts.items():
        for index in range(count):
            parts = [split] if split else []
            plain(here.joinpath("own", *parts, name, f"{index:02}.png"), RED if name == "cat" else GREEN)


def test_classes_are_folders_and_each_is_split_by_the_same_share(here):
    make_classes(here, {"cat": 8, "dog": 12})
    source = ClassFolders("own", size=16, resize=16, validation=0.5)
    whole = assemble(source)
    assert list(source.class_names) == ["cat", "dog"]
    table = {
        split: np.bincount(whole.label.values[whole.split.values == split]).tolist()
        for split in ("train", "validation", "probe")
    }
    assert table == {"train": [3, 5], "validation": [3, 4], "probe": [2, 3]}
    files = whole.file.values.tolist()
    assert len(set(files)) == len(files) == 20
    cat = whole.image.values[whole.label.values == 0].mean((0, 2, 3)) * 255
    np.testing.assert_allclose(cat, RED, atol=0.01)
    other = ClassFolders("own", size=16, resize=16, seed=1)
    assert set(other.probe().file.values) != set(source.probe().file.values)
    make_classes(here, {"dog": 13})
    before = [name for name in source.probe().file.values if name.startswith("cat")]
    assert [name for name in ClassFolders("own", size=16, resize=16).probe().file.values if "cat" in name] == before


def test_a_split_of_the_users_own_is_kept(here):
    make_classes(here, {"cat": 2, "dog": 3}, "train")
    make_classes(here, {"cat": 1, "dog": 1}, "probe")
    whole = assemble(ClassFolders("own", size=16, resize=16))
    assert whole.file.values.tolist() == [
        *("train/cat/00.png", "train/cat/01.png", "train/dog/00.png", "train/dog/01.png", "train/dog/02.png"),
        *("probe/cat/00.png", "probe/dog/00.png"),
    ]
    assert whole.split.values.tolist() == ["train"] * 5 + ["probe"] * 2


def test_unreadable_files_of_all_classes_and_splits_are_named_together_or_skipped_once(here, capsys):
    for split in ("train", "probe"):
        make_classes(here, {"cat": 2, "dog": 2}, split)
    broken = ("train/cat/01.png", "train/dog/00.png", "probe/dog/01.png")
    for name in broken:
        path = here / "own" / name
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SeedscopeError) as refused:
        assemble(ClassFolders("own", size=16, resize=16))
    for name in broken:
        assert f"own/{name} cannot be read as a picture" in str(refused.value)
    capsys.readouterr()
    whole = assemble(ClassFolders("own", size=16, resize=16, unreadable="skip"))
    assert whole.file.values.tolist() == [
        *("train/cat/00.png", "train/dog/01.png", "probe/cat/00.png", "probe/cat/01.png", "probe/dog/00.png")
    ]
    assert whole.label.values.tolist() == [0, 1, 0, 0, 1]
    said = capsys.readouterr().err
    assert [said.count(name) for name in broken] == [1, 1, 1]
    (here / "own/probe/dog/00.png").write_bytes(b"")
    with pytest.raises(SettingError, match="own has no readable picture of 'dog' for probe"):
        assemble(ClassFolders("own", size=16, resize=16, unreadable="skip"))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _here: None, "there is no folder own"),
        (lambda here: make_classes(here, {"cat": 3}), "own has 1 folders with pictures, and two classes are needed"),
        (lambda here: make_classes(here, {"cat": 3, "dog": 1}), "own has no picture of 'dog' for probe"),
    ],
)
def test_folders_that_cannot_be_learned_from_are_refused(here, make, sentence):
    make(here)
    with pytest.raises(SettingError, match=sentence) as refused:
        ClassFolders("own")
    assert refused.value.key == "folder"


def test_albums_that_cannot_be_are_refused(here):
    (here / "album").mkdir()
    with pytest.raises(SettingError, match="album holds no picture"):
        Album("album")
    plain(here / "album" / "a.png")
    with pytest.raises(SettingError, match="resize: 200 is less than size 224"):
        Album("album", resize=200)
    with pytest.raises(SettingError, match=r"classes: there is no file names\.txt"):
        Album("album", classes="names.txt")
