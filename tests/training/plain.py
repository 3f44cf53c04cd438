"""One step of the game in its plainest form: one call for each term, as the paper writes it."""

from torch import Tensor

from cyclegan.losses import discriminator_loss, distance, generator_loss
from cyclegan.training.step import Game, Losses


def play_plainly(game: Game, real_a: Tensor, real_b: Tensor) -> Losses:
    """Do what `cyclegan.training.step.play` does, with nothing batched."""
    nets, weights = game.networks, game.weights
    game.draw(len(real_a))
    fake_b, fake_a = nets.a2b(real_a), nets.b2a(real_b)
    losses = {
        "gan_a2b": generator_loss(nets.disc_b(game.diffaugment_b.of_fakes(fake_b)), weights.adversarial),
        "gan_b2a": generator_loss(nets.disc_a(game.diffaugment_a.of_fakes(fake_a)), weights.adversarial),
        "cycle_a": weights.cycle_a * distance(nets.b2a(fake_b), real_a),
        "cycle_b": weights.cycle_b * distance(nets.a2b(fake_a), real_b),
    }
    if weights.identity:
        losses["identity_a"] = weights.cycle_a * weights.identity * distance(nets.b2a(real_a), real_a)
        losses["identity_b"] = weights.cycle_b * weights.identity * distance(nets.a2b(real_b), real_b)
    for way, real, fake in (("a2b", real_a, fake_b), ("b2a", real_b, fake_a)):
        if way in game.teachers:
            losses[f"imitation_{way}"] = weights.imitation * distance(fake, game.teachers[way](real).detach())
    game.optimizer_g.zero_grad()
    sum(losses.values()).backward()
    game.optimizer_g.step()

    past_a, past_b = game.pool_a.trade(fake_a.detach()), game.pool_b.trade(fake_b.detach())
    real_a, past_a = game.diffaugment_a.of_pairs(real_a, past_a)
    real_b, past_b = game.diffaugment_b.of_pairs(real_b, past_b)
    losses["disc_a"] = discriminator_loss(nets.disc_a(real_a), nets.disc_a(past_a), weights.adversarial)
    losses["disc_b"] = discriminator_loss(nets.disc_b(real_b), nets.disc_b(past_b), weights.adversarial)
    game.optimizer_d.zero_grad()
    (losses["disc_a"] + losses["disc_b"]).backward()
    game.optimizer_d.step()
    return {name: loss.detach() for name, loss in losses.items()}
