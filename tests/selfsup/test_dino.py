import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup.config import DINOConfig
from vit_tutorial.selfsup.dino import DINO, DINOHead, dino_loss

CONFIG = ViTConfig(image_size=16, patch_size=4, classes=3, dim=16, depth=1, heads=2)
SETTINGS = DINOConfig(
    outputs=7, hidden=8, bottleneck=4, local_crops=3, local_size=8, momentum=0.9
)


def made(**settings):
    torch.manual_seed(0)
    return DINO(VisionTransformer(CONFIG), replace(SETTINGS, **settings))


def crops():
    torch.manual_seed(1)
    return torch.randn(5, 2, 3, 16, 16), torch.randn(5, 3, 3, 8, 8)


def test_the_loss_of_two_views_and_a_local_one_by_hand():
    # one image, two outputs; the teacher is sure of a view, undecided about the other
    teacher = torch.tensor([[[1.0, 0.0]], [[0.5, 0.5]]])
    student = torch.tensor([[[0.5, 0.5]], [[0.25, 0.75]], [[0.1, 0.9]]]).log()
    by_pair = [
        math.log(4),  # view 0 of the teacher, 1 of the student
        math.log(10),  # 0, local
        math.log(2),  # 1, 0
        -(math.log(0.1) + math.log(0.9)) / 2,  # 1, local
    ]
    loss = dino_loss(student, teacher)
    assert loss.item() == pytest.approx(sum(by_pair) / 4, rel=1e-6)


def test_the_loss_is_a_loop_over_pairs_of_different_views():
    torch.manual_seed(0)
    teacher = torch.randn(2, 4, 7).double().softmax(dim=-1)
    student = torch.randn(5, 4, 7).double().log_softmax(dim=-1)
    total = []
    for g in range(2):
        for v in range(5):
            for image in range(4):
                if g != v:
                    each = [
                        teacher[g, image, k] * student[v, image, k] for k in range(7)
                    ]
                    total.append(-sum(each).item())
    assert len(total) == 2 * 4 * 4
    assert dino_loss(student, teacher).item() == pytest.approx(sum(total) / len(total))


def test_outputs_are_cosines_between_a_bottleneck_and_directions():
    torch.manual_seed(0)
    head = DINOHead(16, SETTINGS)
    features = torch.randn(4, 16)
    outputs = head(features)
    assert outputs.shape == (4, 7) and outputs.abs().max() <= 1
    with torch.no_grad():
        head.directions.mul_(5)
        head[-1].weight.mul_(3)
        head[-1].bias.mul_(3)
    torch.testing.assert_close(head(features), outputs)


def test_a_step_of_the_objective_is_what_the_paper_writes():
    learner = made().train()
    images, local = crops()
    learner.center.copy_(torch.randn(7))
    loss, watched = learner(images, local)
    model, head = learner.backbone, learner.teacher_head

    def outputs(model, head, views):
        small = views.shape[-1] == 8
        shown = []
        for view in views.unbind(1):
            tokens = model.embedder.project(view)
            if small:
                middle = (
                    torch.nn.functional.interpolate(
                        model.embedder.positions[:, 1:].mT.unflatten(2, (4, 4)),
                        size=(2, 2),
                        mode="bicubic",
                    )
                    .flatten(2)
                    .mT
                )
                places = torch.cat([model.embedder.positions[:, :1], middle], dim=1)
                tokens = model.embedder.place(tokens, places)
            else:
                tokens = model.embedder.place(tokens)
            shown.append(head(model.head[0](model.encode(tokens)[:, 0])))
        return torch.stack(shown)

    said = outputs(model, head, images)
    teacher = ((said - learner.center) / 0.04).softmax(dim=-1)
    views = [outputs(learner.student, learner.student_head, x) for x in (images, local)]
    student = (torch.cat(views) / 0.1).log_softmax(dim=-1)
    assert loss.item() == pytest.approx(dino_loss(student, teacher).item(), rel=1e-5)
    entropy = -(teacher * teacher.log()).sum(dim=-1).mean() / math.log(7)
    assert watched[1].item() == pytest.approx(entropy.item(), rel=1e-4)
    torch.testing.assert_close(learner.batch_mean, said.mean(dim=(0, 1)))
    loss.backward()
    assert all(p.grad is None for p in learner.backbone.parameters())
    assert learner.student_head.directions.grad.abs().sum() > 0


@pytest.mark.parametrize("done", [0.0, 0.3, 1.0])
def test_the_teacher_moves_by_its_momentum_and_the_centre_by_its_own(done):
    learner = made()
    torch.manual_seed(3)
    for part in (learner.student, learner.student_head):
        for value in part.parameters():
            torch.nn.init.normal_(value)
    noted = torch.randn(7)
    learner.batch_mean.copy_(noted)
    before = deepcopy(learner.state_dict())
    learner.after_step(done, lambda values: 2 * values)
    kept = 1 - 0.1 * (math.cos(math.pi * done) + 1) / 2
    after = learner.state_dict()
    moved = 0
    for name, value in before.items():
        if name.startswith(("backbone.", "teacher_head.")):
            twin = name.replace("backbone.", "student.").replace("teacher_", "student_")
            expected = kept * value.double() + (1 - kept) * before[twin].double()
            torch.testing.assert_close(
                after[name].double(), expected, atol=1e-6, rtol=0
            )
            moved += 1
        elif name == "center":
            expected = 0.9 * value + 0.1 * 2 * noted
            torch.testing.assert_close(after[name], expected)
        else:
            assert torch.equal(after[name], value)
    assert moved == len(learner.backbone.state_dict()) + 7


def test_without_centring_the_centre_stays_and_in_eval_mode_nothing_is_noted():
    learner = made(centering=False).train()
    learner(*crops())
    learner.after_step(0.5, lambda values: values)
    assert not learner.center.any() and learner.batch_mean.any()
    noted = learner.batch_mean.clone()
    learner.eval()(torch.randn(5, 2, 3, 16, 16), torch.randn(5, 3, 3, 8, 8))
    assert torch.equal(learner.batch_mean, noted)


def test_the_teacher_starts_as_the_student_and_is_never_in_training_mode():
    learner = made().train()
    pairs = (
        (learner.backbone, learner.student),
        (learner.teacher_head, learner.student_head),
    )
    for teacher, student in pairs:
        for one, other in zip(teacher.parameters(), student.parameters(), strict=True):
            assert torch.equal(one, other) and one is not other
        assert student.training and not teacher.training
