"""The training step is the reference's."""

import copy

import pytest
import torch

from cyclegan.losses import LOSS_NAMES
from cyclegan.models import build_networks
from cyclegan.reference.pth import from_reference
from cyclegan.training.step import update_generators
from tests.support.golden import under
from tests.support.plain_step import plain_step
from tests.support.states import (
    LOSSES_WITHOUT_TEACHER,
    THEIR_LOSSES,
    THEIRS,
    UNPAIRED_LOSSES,
    golden_state,
    run_step,
    state_of,
    tiny_config,
    tiny_state,
)

TRACES = ["training_lsgan", "training_vanilla_no_identity"]


@pytest.fixture(params=[run_step, plain_step], ids=["ours", "plain"])
def step(request):
    return request.param


@pytest.mark.parametrize("name", TRACES)
def test_losses_equal_those_of_the_reference(name, step):
    state, tensors, settings = golden_state(name)
    for number, theirs in enumerate(tensors["losses"]):
        ours = step(state, tensors[f"real_A.{number}"], tensors[f"real_B.{number}"])
        for loss, value in zip(settings["loss_names"].split(","), theirs.tolist(), strict=True):
            if value:
                tolerance = 1e-5 if number == 0 else 1e-3
                assert float(ours[THEIR_LOSSES[loss]]) == pytest.approx(value, rel=tolerance), (number, loss)


@pytest.mark.parametrize("name", TRACES)
def test_first_gradients_equal_those_of_the_reference(name, step):
    state, tensors, _ = golden_state(name)
    gradients = {}
    nets = state.networks

    def remember(names):
        for network in names:
            module = getattr(nets, network)
            gradients[network] = {key: weight.grad.clone() for key, weight in module.named_parameters()}

    state.optimizer_g.register_step_pre_hook(lambda *_: remember(["a2b", "b2a"]))
    state.optimizer_d.register_step_pre_hook(lambda *_: remember(["disc_a", "disc_b"]))
    step(state, tensors["real_A.0"], tensors["real_B.0"])
    for ours, theirs in THEIRS.items():
        expected = from_reference(getattr(nets, ours), under(tensors, f"grad.0.{theirs}."))
        for key, gradient in expected.items():
            error = (gradients[ours][key] - gradient).norm() / gradient.norm()
            assert error < 1e-5, (ours, key)


def movement_error(state, tensors) -> dict[str, float]:
    """Return, for each network, how far its weights are from the reference's last, as a share of the way they went."""
    errors = {}
    for ours, theirs in THEIRS.items():
        network = getattr(state.networks, ours)
        first, last = (from_reference(network, under(tensors, f"{when}.{theirs}.")) for when in ("initial", "final"))
        now = network.state_dict()
        off = sum((now[key] - last[key]).square().sum() for key in last).sqrt()
        way = sum((first[key] - last[key]).square().sum() for key in last).sqrt()
        errors[ours] = float(off / way)
    return errors


@pytest.mark.parametrize("name", TRACES)
def test_weights_move_like_those_of_the_reference(name, step):
    state, tensors, settings = golden_state(name)
    assert min(movement_error(state, tensors).values()) > 0.99, "weights that stand still would pass"
    for number in range(int(settings["steps"])):
        step(state, tensors[f"real_A.{number}"], tensors[f"real_B.{number}"])
    assert max(movement_error(state, tensors).values()) < 0.05


@pytest.mark.parametrize("adversarial", ["lsgan", "vanilla", "hinge"])
@pytest.mark.parametrize(
    ("identity", "taught", "augmented"),
    [(0.5, (), False), (0.0, (), False), (0.5, ("a2b", "b2a"), False), (0.5, (), True), (0.0, ("b2a",), True)],
)
def test_batched_steps_equal_plain_ones_in_float64(adversarial, identity, taught, augmented):
    weights = {"adversarial": adversarial, "identity": identity, "cycle_a": 12.0, "cycle_b": 8.0}
    ours = tiny_state(dtype=torch.float64, weights=weights, pool_size=2, augmented=augmented, fused=True)
    plain = tiny_state(dtype=torch.float64, weights=weights, pool_size=2, augmented=augmented)
    others = tiny_state(seed=1, dtype=torch.float64).networks
    teachers = {way: getattr(others, way).requires_grad_(False) for way in taught}
    ours.engine.teachers = plain.engine.teachers = teachers
    random = torch.Generator().manual_seed(3)
    for _ in range(3):
        real_a, real_b = torch.rand(2, 2, 3, 32, 32, generator=random, dtype=torch.float64) * 2 - 1
        our_losses, plain_losses = run_step(ours, real_a, real_b), plain_step(plain, real_a, real_b)
        assert our_losses.keys() == plain_losses.keys()
        for name, loss in our_losses.items():
            assert float(loss) == pytest.approx(float(plain_losses[name]), abs=1e-10)
    for (name, network), (_, other) in zip(
        ours.networks.named_children(), plain.networks.named_children(), strict=True
    ):
        for weight, expected in zip(network.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(weight, expected, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("is_pair", [(1, 1), (0, 1), (0, 0)])
def test_paired_steps_equal_plain_ones_in_float64(is_pair, conditional):
    ours, plain = (
        tiny_state(
            dtype=torch.float64, weights={"paired": 30.0}, conditional=conditional, pool_size=2, augmented=conditional
        )
        for _ in range(2)
    )
    ours.is_pair = plain.is_pair = torch.tensor(is_pair, dtype=torch.float64)
    random = torch.Generator().manual_seed(3)
    for _ in range(3):
        real_a, real_b = torch.rand(2, 2, 3, 32, 32, generator=random, dtype=torch.float64) * 2 - 1
        our_losses, plain_losses = run_step(ours, real_a, real_b), plain_step(plain, real_a, real_b)
        assert our_losses.keys() == plain_losses.keys()
        assert (our_losses["paired_a2b"] > 0) == any(is_pair)
        for name, loss in our_losses.items():
            assert float(loss) == pytest.approx(float(plain_losses[name]), abs=1e-10)
    for weight, expected in zip(ours.networks.parameters(), plain.networks.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("dropout", "pairs", "identity"), [(False, 2, 0.5), (True, 1, 0.0)])
def test_activation_checkpointing_changes_no_number(dropout, pairs, identity):
    losses, weights = [], []
    for recomputed in (False, True):
        config = tiny_config(
            {"machine": {"activation_checkpointing": recomputed}, "generator": {"dropout": dropout, "blocks": 2}},
            {"loss": {"identity": identity}},
        )
        networks = build_networks(config)
        networks.double()
        torch.manual_seed(0)
        random = torch.Generator().manual_seed(1)
        real_a, real_b = torch.rand(2, pairs, 3, 32, 32, generator=random, dtype=torch.float64) * 2 - 1
        losses.append(run_step(state_of(networks, config.loss), real_a, real_b))
        weights.append(networks.a2b.state_dict())
    for kept, recomputed in (losses, weights):
        for name in kept:
            torch.testing.assert_close(kept[name], recomputed[name], rtol=0, atol=1e-10)


def test_activation_checkpointing_saves_memory():
    kept = []
    for recomputed in (False, True):
        config = tiny_config(
            {"machine": {"activation_checkpointing": recomputed}, "generator": {"width": 8, "blocks": 6}}
        )
        network = build_networks(config).a2b
        sizes: list[int] = []

        def keep(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(torch.zeros(1, 3, 32, 32))
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 4


def test_updating_generators_leaves_no_gradient_in_discriminators():
    state = tiny_state()
    update_generators(state, torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))
    assert all(weight.grad is None for weight in state.networks.disc_a.parameters())
    assert all(weight.grad is None for weight in state.networks.disc_b.parameters())


def test_a_step_returns_every_loss_by_its_name():
    state = tiny_state()
    alone = run_step(state, torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))
    assert sorted(alone) == sorted(LOSSES_WITHOUT_TEACHER)
    state.engine.teachers = dict(tiny_state().networks.named_children())
    taught = run_step(state, torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))
    assert sorted(taught) == sorted(UNPAIRED_LOSSES)
    state.is_pair = torch.ones(1)
    assert sorted(run_step(state, torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))) == sorted(LOSS_NAMES)


def test_distillation_moves_the_student_towards_the_teacher():
    state, other = tiny_state(lr=1e-3), tiny_state(seed=1)
    state.engine.teachers = dict(tiny_state().networks.named_children())
    random = torch.Generator().manual_seed(0)
    real_a, real_b = torch.rand(2, 1, 3, 32, 32, generator=random) * 2 - 1
    same = run_step(state, real_a, real_b)
    assert same["distill_a2b"] + same["distill_b2a"] < 1e-5
    state.engine.teachers = dict(other.networks.named_children())
    first, *_, last = (run_step(state, real_a, real_b)["distill_a2b"] for _ in range(30))
    assert 0 < last < 0.9 * first


def test_discriminators_see_old_fakes_once_the_pool_is_full():
    with_pool, without = tiny_state(pool_size=1), tiny_state()
    random = torch.Generator().manual_seed(0)
    batches = torch.rand(8, 2, 1, 3, 32, 32, generator=random) * 2 - 1
    different = [
        float(run_step(with_pool, a, b)["disc_b"]) != float(run_step(without, copy.copy(a), b)["disc_b"])
        for a, b in batches
    ]
    assert not different[0]
    assert any(different)
