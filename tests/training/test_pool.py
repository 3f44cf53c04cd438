"""The image pool remembers, forgets and survives."""

import math

import torch

from cyclegan.training.pool import ImagePool


def images(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def traded(pool: ImagePool, fakes: torch.Tensor) -> torch.Tensor:
    pool.draw(len(fakes))
    return pool.query(fakes)


def values(batch: torch.Tensor) -> list[float]:
    return batch[:, 0, 0, 0].tolist()


def test_fakes_come_straight_back_until_the_pool_is_full():
    pool = ImagePool(4, seed=0)
    assert values(traded(pool, images(1, 2, 3, 4))) == [1, 2, 3, 4]


def test_a_full_pool_gives_old_fakes_half_the_time():
    pool = ImagePool(50, seed=0)
    traded(pool, images(*range(50)))
    old = sum(values(traded(pool, images(1000 + turn)))[0] != 1000 + turn for turn in range(1000))
    assert 430 < old < 570


def test_a_fake_leaves_the_pool_when_it_is_given_back():
    pool = ImagePool(3, seed=0)
    seen = [value for turn in range(60) for value in values(traded(pool, images(turn)))]
    kept = values(pool.images)
    assert sorted(seen[3:] + kept) == list(range(60))


def test_a_pool_of_nothing_gives_everything_back():
    fakes = images(1, 2)
    assert traded(ImagePool(0, seed=0), fakes) is fakes


def test_a_restored_pool_goes_on_as_the_first_would_have():
    first = ImagePool(3, seed=0)
    traded(first, images(1, 2, 3, 4))
    second = ImagePool(3, seed=9)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for turn in range(20):
        assert values(traded(first, images(turn))) == values(traded(second, images(turn)))


def test_what_the_pool_keeps_does_not_change_with_the_fake():
    pool = ImagePool(1, seed=0)
    fake = images(1)
    traded(pool, fake)
    fake.zero_()
    assert values(pool.images) == [1]


def test_a_batch_trades_as_its_fakes_would_one_after_another():
    whole, single = ImagePool(3, seed=4), ImagePool(3, seed=4)
    for turn in range(0, 40, 4):
        fakes = images(turn, turn + 1, turn + 2, turn + 3)
        one_by_one = [value for fake in fakes.split(1) for value in values(traded(single, fake))]
        assert values(traded(whole, fakes)) == one_by_one


def test_broken_fakes_are_thrown_out_and_their_places_filled_again():
    pool = ImagePool(3, seed=0)
    traded(pool, images(1, math.nan, 3))
    pool.discard_non_finite()
    assert values(pool.images[: pool.held]) == [1, 3]
    assert values(traded(pool, images(5))) == [5]
    assert values(pool.images) == [1, 3, 5]
