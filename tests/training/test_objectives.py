"""What a step makes smaller."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vit_tutorial.training.objectives import Classification, Distillation


class Fixed(nn.Module):
    """A model that gives these logits, whatever it sees."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits, dtype=torch.float64))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


IMAGES = torch.zeros(2, 3, 4, 4)
LABELS = torch.tensor([1, 1])


def test_the_loss_by_hand():
    """Two classes: the student is undecided, the teacher is three to one for class 0,
    the label says class 1.
    """
    student = Fixed([0.0, 0.0])
    teacher = Fixed([torch.tensor(3.0).log().item(), 0.0])
    loss, hits = Distillation(teacher, weight=0.25)(student, IMAGES, LABELS)
    # whatever the targets are, an undecided student pays ln 2
    assert_close(loss.item(), torch.tensor(2.0).log().item())
    assert hits == 0  # a tie is class 0
    loss.backward()
    # d/dlogit = probability - target: 3/4 of the label's and 1/4 of the teacher's
    target = torch.tensor([0.75 * 0 + 0.25 * 0.75, 0.75 * 1 + 0.25 * 0.25])
    assert_close(student.logits.grad, (0.5 - target).double())
    assert teacher.logits.grad is None


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_a_student_that_agrees_with_its_teacher_learns_nothing_from_it(temperature):
    logits = [0.3, -1.2, 2.0]
    student = Fixed(logits)
    objective = Distillation(Fixed(logits), weight=1.0, temperature=temperature)
    objective(student, IMAGES, LABELS)[0].backward()
    assert_close(student.logits.grad, torch.zeros(3).double())


def test_a_temperature_weakens_no_gradient():
    """Hinton et al. 2015, section 2.1: at a high temperature the gradient is the
    difference of the centred logits, divided by the number of classes.
    """
    student = Fixed([0.2, -0.1, 0.5])
    teacher = Fixed([0.4, 0.0, -1.0])
    Distillation(teacher, 1.0, temperature=1000)(student, IMAGES, LABELS)[0].backward()
    ours, theirs = (
        model.logits.detach() - model.logits.detach().mean()
        for model in (student, teacher)
    )
    assert_close(student.logits.grad, (ours - theirs) / 3, rtol=1e-2, atol=1e-3)


def test_without_weight_it_is_classification():
    student = Fixed([0.2, -0.1, 0.5])
    alone = Classification(0.1)(student, IMAGES, LABELS)
    taught = Distillation(Fixed([9.0, 0.0, 0.0]), 0.0, label_smoothing=0.1)
    assert_close(taught(student, IMAGES, LABELS), alone)


def test_of_mixed_images_the_larger_share_counts():
    shares = torch.tensor([[0.4, 0.6], [0.7, 0.3]]).double()
    for objective in (Classification(), Distillation(Fixed([0.0, 0.0]))):
        assert objective(Fixed([1.0, 0.0]), IMAGES, shares)[1] == 0.5
