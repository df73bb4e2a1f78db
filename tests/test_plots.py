import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from vit_tutorial import plots


@pytest.fixture(autouse=True)
def style():
    plt.switch_backend("Agg")
    with plt.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def drawn(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def test_picture():
    image = torch.zeros(3, 4, 6, dtype=torch.uint8)
    image[1, 2, 5] = 255
    assert plots.picture(image).shape == (4, 6, 3)
    assert plots.picture(image)[2, 5].tolist() == [0, 255, 0]
    assert plots.picture(torch.tensor([[[-1.0, 0.5, 2.0]]])).tolist() == [[0.0, 0.5, 1.0]]


def test_show_images_in_a_grid_no_wider_than_a_page():
    figure = plots.show_images(torch.rand(7, 3, 8, 12), titles=list("abcdefg"), columns=4)
    assert figure.get_figwidth() <= plots.WIDTH
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:7]] == list("abcdefg")
    assert [len(axis.images) for axis in figure.axes] == [1] * 7 + [0]
    drawn(figure)
    assert len(plots.show_images([torch.rand(1, 8, 8)] * 2).axes) == 2


def test_show_matrix_writes_small_numbers():
    figure = plots.show_matrix(torch.tensor([[0.0, 0.25, 1.0], [0.5, 0.5, 0.5]]), rows="query", columns="key")
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.00", "0.25", "1.00", "0.50", "0.50", "0.50"]
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("query", "key")
    drawn(figure)
    large = plots.show_matrix(torch.rand(8, 8), labels=list("abcdefgh")).axes[0]
    assert not large.texts
    assert [label.get_text() for label in large.get_xticklabels()] == list("abcdefgh")


def test_show_curves_names_each():
    figure = plots.show_curves({"train": [3.0, 2.0, 1.0], "validation": [3.0, 2.5]}, "epoch", "loss")
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["train", "validation"]
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3]
    drawn(figure)


def test_overlay_puts_each_patch_on_its_pixels():
    """One bright patch of a 2 x 3 grid over black: row 1, column 2 is the lower right sixth."""
    figure, axis = plt.subplots(figsize=(3, 2), layout="none")
    figure.subplots_adjust(0, 0, 1, 1)
    plots.overlay(axis, torch.zeros(3, 20, 30), torch.tensor([0.0, 0, 0, 0, 0, 0.01]), (2, 3))
    pixels = drawn(figure)[..., 1].astype(float)  # viridis ends in yellow, whose green is high
    rows, columns = np.nonzero(pixels > 100)
    height, width = pixels.shape
    assert rows.min() == pytest.approx(height / 2, abs=2) and rows.max() == pytest.approx(height - 1, abs=2)
    assert columns.min() == pytest.approx(2 * width / 3, abs=2) and columns.max() == pytest.approx(width - 1, abs=2)


def test_scoreboard_in_per_cent_newest_last():
    figure = plots.scoreboard({"chance": 0.1, "bag of patches": 0.6, "+ attention": 0.94}, ceiling=0.6)
    axis = figure.axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([10, 60, 94])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["chance", "bag of patches", "+ attention"]
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # read from top to bottom
    drawn(figure)
