import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image as Pillow

from seedscope.figures import Facts, Film, Image, Panel, Sheet, centred
from seedscope.figures.renderer import save
from seedscope.figures.renderer.gif import paletted, write_gif
from seedscope.report.collection import read_figure


def read(path):
    with Pillow.open(path) as image:
        frames = []
        for frame in range(image.n_frames):
            image.seek(frame)
            frames.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return frames


def gradient(shift, shape=(20, 256)):
    """A frame with all colours of a colour map, one row of greys, and a corner that never changes."""
    colours = colormaps["viridis"]((np.arange(256) + shift) % 256)[:, :3]
    frame = np.broadcast_to((colours * 255).round().astype(np.uint8), (*shape, 3)).copy()
    frame[0] = np.arange(256)[:, None]
    frame[15:, :40] = (213, 94, 0)
    return opaque(frame)


def opaque(film):
    return np.concatenate([film, np.full((*film.shape[:-1], 1), 255, np.uint8)], -1)


def test_few_colours_come_back_exactly(tmp_path):
    film = np.random.default_rng(0).choice(np.array([[0, 0, 0], [255, 255, 255], [7, 130, 201]], np.uint8), (4, 9, 11))
    write_gif(tmp_path / "a.gif", opaque(film), "words")
    frames = read(tmp_path / "a.gif")
    np.testing.assert_array_equal([frame for frame, _ in frames], film)


def test_many_colours_are_brought_together_but_none_moves_far_and_white_stays_white():
    film = np.stack([gradient(shift) for shift in (0, 5, 90)])
    palette, places = paletted(film)
    assert len(palette) <= 255
    assert np.abs(palette[places].astype(int) - film[..., :3]).max() <= 6
    assert palette[places[0, 0, 255]].tolist() == [255, 255, 255]


def test_what_stands_still_does_not_flicker(tmp_path):
    write_gif(tmp_path / "a.gif", np.stack([gradient(shift) for shift in range(8)]), "words")
    frames = np.stack([frame for frame, _ in read(tmp_path / "a.gif")])
    assert (frames[:, 15:, :40] == frames[0, 15, 0]).all()
    assert (frames[:, 0] == frames[0, 0]).all()
    assert (frames[1:] != frames[:-1]).any((1, 2, 3)).all()


def test_the_last_frame_stays_longest_and_the_film_repeats(tmp_path):
    write_gif(tmp_path / "a.gif", np.stack([gradient(shift) for shift in range(3)]), "words")
    durations = [duration for _, duration in read(tmp_path / "a.gif")]
    assert durations[-1] >= 4 * max(durations[:-1])
    with Pillow.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0


@pytest.mark.parametrize("count", [1, 2])
def test_equal_films_have_equal_bytes_and_the_shortest_is_one_frame(tmp_path, count):
    film = np.stack([gradient(3)] * count)
    for name in "ab":
        write_gif(tmp_path / f"{name}.gif", film, "Grüße → and −")
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert len(read(tmp_path / "a.gif")) == 1


ABOUT = Facts("toy", 3)


def film_of(values):
    body = Panel([Image(values[0], centred(values), filmed=True)], width=3, height=1)
    captions = [f"step {frame}" for frame in range(len(values))]
    return Film("film", ABOUT, "Title ± 1", "How to → read it.", body, frames=values, captions=captions)


def test_a_film_is_saved_with_its_words_and_with_equal_bytes(tmp_path):
    values = np.random.default_rng(0).normal(0, 1, (5, 4, 6))
    for folder in ("a", "b"):
        save(film_of(values), tmp_path / folder)
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["film.gif"]
    assert (tmp_path / "a" / "film.gif").read_bytes() == (tmp_path / "b" / "film.gif").read_bytes()
    shown = read_figure(tmp_path / "a" / "film.gif", "film.gif", "film.gif")
    assert (shown.title, shown.description) == ("Title ± 1", "How to → read it.")


def test_every_frame_shows_its_own_values_and_nothing_of_the_frame_before(tmp_path):
    values = np.zeros((3, 1, 3))
    values[[0, 1, 2], 0, [0, 1, 2]] = 1
    save(film_of(values), tmp_path)
    frames = [frame.astype(int) for frame, _ in read(tmp_path / "film.gif")]
    blue = np.stack([frame[..., 2] - frame[..., 0] > 60 for frame in frames])
    assert blue.any((1, 2)).all()
    assert not (blue.sum(0) > 1).any()
    left = [np.flatnonzero(of_frame.any(0)).min() for of_frame in blue]
    assert min(np.diff(left)) > 50  # each frame's cell lies to the right of the one before


def test_a_film_shows_what_a_still_of_the_same_sheet_shows(tmp_path):
    values = np.random.default_rng(1).normal(0, 1, (2, 4, 6))
    save(film_of(values), tmp_path)
    last = read(tmp_path / "film.gif")[-1][0].astype(int)
    body = Panel([Image(values[-1], centred(values))], width=3, height=1)
    save(Sheet("still", ABOUT, "Title ± 1", "", body, note="step 1"), tmp_path)
    with Pillow.open(tmp_path / "still.png") as image:
        still = np.asarray(image.convert("RGB")).astype(int)
    assert last.shape == still.shape
    assert (np.abs(last - still).max(-1) > 12).mean() < 0.01  # the image is drawn after the axes
