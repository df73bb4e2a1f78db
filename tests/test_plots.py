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
    for precision in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        values = torch.tensor([[[-1.0, 0.5, 2.0]]], dtype=precision, requires_grad=True)
        assert plots.picture(values).tolist() == [[0.0, 0.5, 1.0]]


def test_show_images_in_a_grid_no_wider_than_a_page():
    figure = plots.show_images(
        torch.rand(7, 3, 8, 12), titles=list("abcdefg"), columns=4
    )
    assert figure.get_figwidth() <= plots.WIDTH
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:7]] == list("abcdefg")
    assert [len(axis.images) for axis in figure.axes] == [1] * 7 + [0]
    drawn(figure)
    assert len(plots.show_images([torch.rand(1, 8, 8)] * 2).axes) == 2


def test_nothing_to_show_is_one_line():
    with pytest.raises(ValueError, match="^there are no images to show, expected at"):
        plots.show_images(torch.rand(0, 3, 8, 8))
    with pytest.raises(ValueError, match="^there are no grids to show, expected at"):
        plots.show_grids({})


def test_show_matrix_writes_small_numbers():
    figure = plots.show_matrix(
        torch.tensor([[0.0, 0.25, 1.0], [0.5, 0.5, 0.5]]), rows="query", columns="key"
    )
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == [
        "0.00",
        "0.25",
        "1.00",
        "0.50",
        "0.50",
        "0.50",
    ]
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("query", "key")
    drawn(figure)
    large = plots.show_matrix(torch.rand(8, 8), labels=list("abcdefgh")).axes[0]
    assert not large.texts
    assert [label.get_text() for label in large.get_xticklabels()] == list("abcdefgh")


def test_show_curves_names_each():
    figure = plots.show_curves(
        {"train": [3.0, 2.0, 1.0], "validation": [3.0, 2.5]}, "epoch", "loss"
    )
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        "train",
        "validation",
    ]
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3]
    drawn(figure)


def test_overlay_puts_each_patch_on_its_pixels():
    """One bright patch of a 2 x 3 grid over black: row 1, column 2 is the lower right
    sixth.
    """
    figure, axis = plt.subplots(figsize=(3, 2), layout="none")
    figure.subplots_adjust(0, 0, 1, 1)
    plots.overlay(
        axis, torch.zeros(3, 20, 30), torch.tensor([0.0, 0, 0, 0, 0, 0.01]), (2, 3)
    )
    # viridis ends in yellow, whose green is high
    pixels = drawn(figure)[..., 1].astype(float)
    rows, columns = np.nonzero(pixels > 100)
    height, width = pixels.shape
    assert rows.min() == pytest.approx(
        height / 2, abs=2
    ) and rows.max() == pytest.approx(height - 1, abs=2)
    assert columns.min() == pytest.approx(
        2 * width / 3, abs=2
    ) and columns.max() == pytest.approx(width - 1, abs=2)


def test_scoreboard_in_per_cent_newest_last():
    figure = plots.scoreboard(
        {"chance": 0.1, "bag of patches": 0.6, "+ attention": 0.94}, ceiling=0.6
    )
    axis = figure.axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([10, 60, 94])
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "chance",
        "bag of patches",
        "+ attention",
    ]
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # read from top to bottom
    drawn(figure)


def test_show_patches_in_their_places():
    patches = torch.arange(6 * 12).view(6, 12).to(torch.uint8)
    figure = plots.show_patches(patches, grid=(2, 3))
    assert [axis.get_title() for axis in figure.axes] == list("012345")
    assert (
        figure.axes[4].images[0].get_array().tolist()
        == patches[4].view(2, 2, 3).tolist()
    )
    drawn(figure)


@pytest.mark.parametrize(
    "images", [None, torch.rand(3, 8, 12), torch.rand(4, 3, 8, 12)]
)
def test_show_maps_names_rows_and_columns_and_frames_the_query(images):
    maps = torch.rand(2, 4, 6)
    figure = plots.show_maps(maps, images, grid=(2, 3), mark=4)
    assert figure.get_figwidth() <= plots.WIDTH and len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:4]] == [
        f"head {head}" for head in range(4)
    ]
    assert [axis.get_ylabel() for axis in figure.axes[::4]] == ["layer 1", "layer 2"]
    assert np.allclose(figure.axes[5].images[-1].get_array().flatten(), maps[1, 1])
    assert figure.axes[5].get_xlabel() == f"0 to {maps[1, 1].max():.2g}"
    # patch 4 of a 2 x 3 grid stands in row 1, column 1
    side = 1 if images is None else 4
    assert figure.axes[5].patches[0].get_xy() == (side - 0.5, side - 0.5)
    drawn(figure)


def test_show_confusion_is_in_shares_of_the_label():
    labels = torch.tensor([0, 0, 0, 1])
    guess = torch.tensor([0, 0, 1, 1])
    figure = plots.show_confusion(
        labels, {"first": guess, "second": labels}, ["cat", "dog", "cow"]
    )
    shares = [axis.images[0].get_array().tolist() for axis in figure.axes[:2]]
    # no cow is there, which is no division by 0
    assert shares == [
        [[pytest.approx(2 / 3), pytest.approx(1 / 3), 0], [0, 1, 0], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
    ]
    assert figure.axes[0].get_ylabel() == "what is there"
    drawn(figure)


def test_show_grids_in_one_scale():
    grids = {
        "near": torch.tensor([[1.0, 0.2], [0.2, -0.4]]),
        "far": torch.tensor([[0.5]]),
    }
    figure = plots.show_grids(grids)
    images = [axis.images[0] for axis in figure.axes if axis.get_title() in grids]
    assert [image.get_clim() for image in images] == [(pytest.approx(-0.4), 1)] * 2
    drawn(figure)


def test_show_ladder_puts_equal_tensors_at_the_left():
    one = torch.tensor([2.0, -4.0], dtype=torch.float64)
    axis = plots.show_ladder({"same": (one, one), "near": (one, one + 1e-3)}).axes[0]
    apart, sizes = (line.get_xdata().tolist() for line in axis.lines)
    assert apart == pytest.approx([1e-18, 1e-3]) and sizes == [4, 4]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["same", "near"]


def test_show_counts_writes_counts_and_colours_shares():
    figure = plots.show_counts(torch.tensor([[9, 1], [0, 0]]), ["cat", "dog"])
    axis = figure.axes[0]
    # a class without images is no division by 0
    assert axis.images[0].get_array().tolist() == [[0.9, 0.1], [0, 0]]
    assert [text.get_text() for text in axis.texts] == ["9", "1", "0", "0"]
    assert [text.get_color() for text in axis.texts] == [
        "black",
        "white",
        "white",
        "white",
    ]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["cat", "dog"]
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("what is there", "the model says")
    drawn(figure)


def test_show_reliability_leaves_out_empty_bins_and_draws_wilsons_intervals():
    bins = {
        "confidence": [0.0, 0.3, 0.9],
        "accuracy": [0.0, 0.5, 1.0],
        "n": [0, 100, 4],
    }
    figure = plots.show_reliability({"one": bins, "other": bins})
    assert figure.get_figwidth() <= plots.WIDTH and len(figure.axes) == 4
    upper = figure.axes[0]
    lower = figure.axes[2]
    points, _, (bars,) = upper.containers[0]
    assert points.get_xydata().tolist() == [[0.3, 0.5], [0.9, 1.0]]
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    half = (0.2525 / 100) ** 0.5 / 1.01
    assert ends == [pytest.approx([0.5 - half, 0.5 + half]), pytest.approx([0.8, 1])]
    assert [bar.get_height() for bar in lower.patches] == [100, 4]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["one", "other"]
    drawn(figure)


def test_show_bands_from_the_lowest_run_to_the_highest():
    figure = plots.show_bands(
        {"training": [[1, 2, 3], [3, 4, 5]], "validation": [[0, 0, 1]]},
        "epoch",
        "accuracy, %",
    )
    axis = figure.axes[0]
    assert [line.get_ydata().tolist() for line in axis.lines] == [[2, 3, 4], [0, 0, 1]]
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3]
    # told apart without colours
    assert axis.lines[0].get_linestyle() != axis.lines[1].get_linestyle()
    corners = axis.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} == {
        (1, 1),
        (2, 2),
        (3, 3),
        (1, 3),
        (2, 4),
        (3, 5),
    }
    drawn(figure)


def test_show_steps_says_what_each_gained_on_the_one_it_comes_after():
    steps = {"plain": [0.4], "+ stem": [0.5, 0.6], "mean": [0.45]}
    figure = plots.show_steps(
        steps, {"plain": None, "+ stem": "plain", "mean": "plain"}, images=2400
    )
    axis = figure.axes[0]
    means, _, (bars,) = axis.containers[0]
    assert means.get_xdata() == pytest.approx([40, 55, 45])
    assert [text.get_text() for text in axis.texts] == ["40.0 %", "+15.0", "+5.0"]
    # single runs, where there are several
    assert axis.lines[-1].get_xdata() == pytest.approx([50, 60])
    # 0.4 * 0.6 / 2400 is 0.01 squared
    assert bars.get_segments()[0][:, 0] == pytest.approx([39, 41])
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # read from top to bottom
    drawn(figure)


def test_plot_cards_draws_every_run_and_the_prediction_in_its_row():
    def arm(name, mean, spread, *scores):
        runs = [{"val_accuracy": score} for score in scores]
        return {"name": name, "mean": mean, "spread": spread, "runs": runs}

    whole = arm("as it is", 0.96, 0.0141, 0.95, 0.97)
    less = [arm("half", 0.7, None, 0.7), arm("none", 0.4, 0.0424, 0.37, 0.43)]
    question = "What if all of it, from the first block to the last, were taken away?"
    cards = [
        {"question": question, "asked": "none", "prediction": 0.55},
        {"question": "And half?", "asked": "half", "prediction": 0.8},
    ]
    figure = plots.plot_cards(
        [cards[0] | {"arms": [whole, *less]}, cards[1] | {"arms": [whole, less[0]]}]
    )
    drawn(figure)
    upper, lower = figure.axes
    means, runs, prediction = upper.lines
    assert runs.get_xdata() == pytest.approx([95, 97, 70, 37, 43])
    assert list(runs.get_ydata()) == [0, 0, 1, 2, 2]
    assert means.get_xdata() == pytest.approx([96, 70, 40])
    assert prediction.get_xydata()[0] == pytest.approx([55, 2])
    assert lower.lines[2].get_xydata()[0] == pytest.approx([80, 1])
    assert prediction.get_markerfacecolor() == "none"
    numbers = [text.get_text() for text in upper.texts]
    assert numbers == ["96.0 ± 1.4", "70.0", "40.0 ± 4.2"]
    names = [label.get_text() for label in upper.get_yticklabels()]
    assert names == ["as it is", "half", "none"]
    assert upper.get_ylim()[0] > upper.get_ylim()[1]  # the first arm on top
    title = upper.get_title(loc="left")
    assert "\n" in title and title.replace("\n", " ") == question
    renderer = figure.canvas.get_renderer()
    assert upper.get_tightbbox(renderer).x1 <= figure.bbox.x1
    assert lower.get_xlim() == upper.get_xlim() == (0, 100)
    assert lower.get_xlabel() == "validation accuracy (%)"
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["mean", "run", "predicted before"]
