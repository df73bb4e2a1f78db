"""The CNNs do what they say."""

from dataclasses import replace

import torch
from small import spent

from vit_tutorial import ViTConfig, models
from vit_tutorial.model import count_parameters


def test_resnet18_is_torchvisions_with_a_small_stem():
    model = models.resnet18(ViTConfig()).eval()
    # 11,689,512 with 1,000 classes and a 7 x 7 stem, as torchvision says
    assert count_parameters(model) == 11_689_512 - 990 * 513 - 3 * 64 * (49 - 9)
    shapes = []
    model.layer1.register_forward_hook(lambda *call: shapes.append(call[2].shape[2:]))
    model.layer4.register_forward_hook(lambda *call: shapes.append(call[2].shape[2:]))
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 10)
    assert shapes == [(48, 48), (6, 6)]


def test_the_small_resnet_does_about_the_hybrids_work():
    config = ViTConfig(
        image_size=64, dim=128, depth=4, heads=4, embedder="hybrid", positions="sincos"
    )
    hybrid, resnet = (
        spent(
            models.build_model(replace(config, name=name)).eval(),
            torch.zeros(1, 3, 64, 64),
        )
        for name in ("vit", "resnet-small")
    )
    assert 0.85 < resnet / hybrid < 1.15
