"""The image pool remembers, forgets and survives."""

import math

import torch

from cyclegan.training.pool import ImagePool


def images(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def queried(pool: ImagePool, fakes: torch.Tensor) -> torch.Tensor:
    pool.draw(len(fakes))
    return pool.query(fakes)


def values(batch: torch.Tensor) -> list[float]:
    return batch[:, 0, 0, 0].tolist()


def test_fakes_are_returned_until_the_pool_is_full():
    pool = ImagePool(4, seed=0)
    assert values(queried(pool, images(1, 2, 3, 4))) == [1, 2, 3, 4]


def test_a_full_pool_returns_old_fakes_half_the_time():
    pool = ImagePool(50, seed=0)
    queried(pool, images(*range(50)))
    old = sum(values(queried(pool, images(1000 + step)))[0] != 1000 + step for step in range(1000))
    assert 430 < old < 570


def test_a_returned_old_fake_leaves_the_pool():
    pool = ImagePool(3, seed=0)
    returned = [value for step in range(60) for value in values(queried(pool, images(step)))]
    stored = values(pool.images)
    assert sorted(returned[3:] + stored) == list(range(60))


def test_a_pool_of_size_zero_returns_every_fake():
    fakes = images(1, 2)
    assert queried(ImagePool(0, seed=0), fakes) is fakes


def test_a_restored_pool_continues_exactly():
    first = ImagePool(3, seed=0)
    queried(first, images(1, 2, 3, 4))
    second = ImagePool(3, seed=9)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    for step in range(20):
        assert values(queried(first, images(step))) == values(queried(second, images(step)))


def test_stored_fakes_are_copies():
    pool = ImagePool(1, seed=0)
    fake = images(1)
    queried(pool, fake)
    fake.zero_()
    assert values(pool.images) == [1]


def test_a_batch_query_equals_queries_of_single_fakes():
    whole, single = ImagePool(3, seed=4), ImagePool(3, seed=4)
    for step in range(0, 40, 4):
        fakes = images(step, step + 1, step + 2, step + 3)
        one_by_one = [value for fake in fakes.split(1) for value in values(queried(single, fake))]
        assert values(queried(whole, fakes)) == one_by_one


def test_non_finite_fakes_are_discarded():
    pool = ImagePool(3, seed=0)
    queried(pool, images(1, math.nan, 3))
    pool.discard_non_finite()
    assert values(pool.images[: pool.held]) == [1, 3]
    assert values(queried(pool, images(5))) == [5]
    assert values(pool.images) == [1, 3, 5]
