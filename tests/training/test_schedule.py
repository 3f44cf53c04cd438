"""The learning rate is the reference's."""

import pytest
import torch

from cyclegan.training.schedule import epoch_of, learning_rate_factor


@pytest.mark.parametrize(("epochs", "decay_epochs"), [(100, 100), (3, 5), (0, 4), (2, 0)])
def test_the_schedule_equals_that_of_the_reference(epochs: int, decay_epochs: int):
    def rule(epoch: int) -> float:
        return 1.0 - max(0, epoch + 1 - epochs) / float(decay_epochs + 1)

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rule)
    for epoch in range(epochs + decay_epochs):
        assert learning_rate_factor(epoch, epochs, decay_epochs) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_the_last_epoch_has_a_learning_rate_above_zero():
    assert learning_rate_factor(199, 100, 100) == pytest.approx(1 / 101)


def test_epochs_are_counted_from_zero():
    assert [epoch_of(step, 3) for step in range(7)] == [0, 0, 0, 1, 1, 1, 2]
