"""One training step in its plainest form: one call for each term, as the paper writes it."""

import torch
from torch import Tensor

from cyclegan.losses import discriminator_loss, gan_loss, l1
from cyclegan.training.state import TrainState
from cyclegan.training.step import Losses


def plain_step(state: TrainState, real_a: Tensor, real_b: Tensor) -> Losses:
    """Do what `cyclegan.training.step.train_step` does, with nothing batched."""
    nets, weights, teachers = state.networks, state.loss_config, state.engine.teachers
    for random in (state.pool_a, state.pool_b, state.diffaugment_a, state.diffaugment_b):
        random.draw(len(real_a))

    def seen(source: Tensor, image: Tensor) -> Tensor:
        return torch.cat([source, image], 1) if state.conditional else image

    fake_b, fake_a = nets.a2b(real_a), nets.b2a(real_b)
    losses = {
        "gan_a2b": gan_loss(nets.disc_b(state.diffaugment_b.of_fakes(seen(real_a, fake_b))), weights.adversarial),
        "gan_b2a": gan_loss(nets.disc_a(state.diffaugment_a.of_fakes(seen(real_b, fake_a))), weights.adversarial),
        "cycle_a": weights.cycle_a * l1(nets.b2a(fake_b), real_a),
        "cycle_b": weights.cycle_b * l1(nets.a2b(fake_a), real_b),
    }
    if weights.identity:
        losses["identity_a"] = weights.cycle_a * weights.identity * l1(nets.b2a(real_a), real_a)
        losses["identity_b"] = weights.cycle_b * weights.identity * l1(nets.a2b(real_b), real_b)
    if state.is_pair is not None:
        for direction, fake, truth in (("a2b", fake_b, real_b), ("b2a", fake_a, real_a)):
            errors = [l1(fake[i : i + 1], truth[i : i + 1]) for i in range(len(fake)) if state.is_pair[i]]
            losses[f"paired_{direction}"] = weights.paired * sum(errors, torch.zeros(())) / len(fake)
    for direction, real, fake in (("a2b", real_a, fake_b), ("b2a", real_b, fake_a)):
        if direction in teachers:
            losses[f"distill_{direction}"] = weights.distill * l1(fake, teachers[direction](real).detach())
    state.optimizer_g.zero_grad()
    sum(losses.values()).backward()
    state.optimizer_g.step()

    seen_a, seen_b = seen(real_b, real_a), seen(real_a, real_b)
    pooled_a = state.pool_a.query(seen(real_b, fake_a.detach()))
    pooled_b = state.pool_b.query(seen(real_a, fake_b.detach()))
    seen_a, pooled_a = state.diffaugment_a.of_reals_and_fakes(seen_a, pooled_a)
    seen_b, pooled_b = state.diffaugment_b.of_reals_and_fakes(seen_b, pooled_b)
    for name, disc, real, pooled in (
        ("disc_a", nets.disc_a, seen_a, pooled_a),
        ("disc_b", nets.disc_b, seen_b, pooled_b),
    ):
        of_samples = [
            discriminator_loss(disc(real[i : i + 1]), disc(pooled[i : i + 1]), weights.adversarial)
            for i in range(len(real))
            if not state.conditional or state.is_pair[i]
        ]
        losses[name] = sum(of_samples, torch.zeros(())) / len(real)
    state.optimizer_d.zero_grad()
    if any(losses[name].requires_grad for name in ("disc_a", "disc_b")):
        (losses["disc_a"] + losses["disc_b"]).backward()
    state.optimizer_d.step()
    return {name: loss.detach() for name, loss in losses.items()}
