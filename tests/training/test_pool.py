"""The image pool remembers, forgets and survives."""

import torch

from cyclegan.training.pool import ImagePool


def images(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def values(batch: torch.Tensor) -> list[float]:
    return batch[:, 0, 0, 0].tolist()


def test_fakes_come_straight_back_until_the_pool_is_full():
    pool = ImagePool(4, seed=0)
    assert values(pool.trade(images(1, 2, 3, 4))) == [1, 2, 3, 4]


def test_a_full_pool_gives_old_fakes_half_the_time():
    pool = ImagePool(50, seed=0)
    pool.trade(images(*range(50)))
    old = sum(values(pool.trade(images(1000 + turn)))[0] != 1000 + turn for turn in range(1000))
    assert 430 < old < 570


def test_a_fake_leaves_the_pool_when_it_is_given_back():
    pool = ImagePool(3, seed=0)
    seen = [value for turn in range(60) for value in values(pool.trade(images(turn)))]
    kept = values(torch.stack(pool.images))
    assert sorted(seen[3:] + kept) == list(range(60))


def test_a_pool_of_nothing_gives_everything_back():
    fakes = images(1, 2)
    assert ImagePool(0, seed=0).trade(fakes) is fakes


def test_a_restored_pool_goes_on_as_the_first_would_have():
    first = ImagePool(3, seed=0)
    first.trade(images(1, 2, 3, 4))
    second = ImagePool(3, seed=9)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()}, torch.device("cpu"))
    for turn in range(20):
        assert values(first.trade(images(turn))) == values(second.trade(images(turn)))


def test_what_the_pool_keeps_does_not_change_with_the_fake():
    pool = ImagePool(1, seed=0)
    fake = images(1)
    pool.trade(fake)
    fake.zero_()
    assert values(torch.stack(pool.images)) == [1]
