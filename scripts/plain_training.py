"""CycleGAN as the authors' PyTorch code has it, written plainly: what the benchmarks compare with."""

import itertools
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan.config import Config
from cyclegan.models import Networks, build_networks
from cyclegan.models.layers import replace_instance_norms


class PlainNorm(nn.Module):
    """torch's own instance norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.instance_norm(x)


def plain_networks(config: Config, device: torch.device) -> Networks:
    """Return our networks, with our first weights, as the authors build them: with biases before torch's own norm."""
    networks = build_networks(config)
    for module in networks.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
    for network in networks.children():
        replace_instance_norms(network, PlainNorm)
    return networks.to(device)


class PlainPool:
    """Up to 50 past fakes; half the time a fake is swapped for an older one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fakes: list[Tensor] = []
        self.rng = random.Random(0)

    def query(self, fakes: Tensor) -> Tensor:
        """Return for each fake itself or an older one."""
        returned = []
        for fake in fakes.split(1):
            if len(self.fakes) < self.size:
                self.fakes.append(fake)
            elif self.fakes and self.rng.random() > 0.5:
                index = self.rng.randrange(self.size)
                fake, self.fakes[index] = self.fakes[index], fake
            returned.append(fake)
        return torch.cat(returned)


def squared_error(scores: Tensor, target: float) -> Tensor:
    """Return the least-squares GAN's loss."""
    return F.mse_loss(scores, torch.full_like(scores, target))


class PlainTraining:
    """Networks, optimizers and pools, and their step."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.nets = nets = plain_networks(config, device)
        self.weights = config.loss
        self.pool_a, self.pool_b = (PlainPool(config.training.pool_size) for _ in range(2))
        adam = {"lr": config.optimizer.learning_rate, "betas": (config.optimizer.beta1, config.optimizer.beta2)}
        adam |= {"fused": False, "foreach": False}
        self.optimizer_g = torch.optim.Adam(itertools.chain(nets.a2b.parameters(), nets.b2a.parameters()), **adam)
        self.optimizer_d = torch.optim.Adam(itertools.chain(nets.disc_a.parameters(), nets.disc_b.parameters()), **adam)

    def step(self, real_a: Tensor, real_b: Tensor) -> dict[str, Tensor]:
        """Update the generators, then the discriminators; return the losses."""
        nets, weights = self.nets, self.weights

        for network in (nets.disc_a, nets.disc_b):
            network.requires_grad_(False)
        self.optimizer_g.zero_grad()
        fake_b, fake_a = nets.a2b(real_a), nets.b2a(real_b)
        losses = {
            "gan_a2b": squared_error(nets.disc_b(fake_b), 1),
            "gan_b2a": squared_error(nets.disc_a(fake_a), 1),
            "cycle_a": weights.cycle_a * F.l1_loss(nets.b2a(fake_b), real_a),
            "cycle_b": weights.cycle_b * F.l1_loss(nets.a2b(fake_a), real_b),
            "identity_a": weights.cycle_a * weights.identity * F.l1_loss(nets.b2a(real_a), real_a),
            "identity_b": weights.cycle_b * weights.identity * F.l1_loss(nets.a2b(real_b), real_b),
        }
        sum(losses.values()).backward()
        self.optimizer_g.step()

        for network in (nets.disc_a, nets.disc_b):
            network.requires_grad_(True)
        self.optimizer_d.zero_grad()
        for name, disc, real, fake, pool in (
            ("disc_a", nets.disc_a, real_a, fake_a, self.pool_a),
            ("disc_b", nets.disc_b, real_b, fake_b, self.pool_b),
        ):
            pooled = pool.query(fake.detach())
            losses[name] = (squared_error(disc(real), 1) + squared_error(disc(pooled), 0)) / 2
            losses[name].backward()
        self.optimizer_d.step()
        return {name: loss.detach() for name, loss in losses.items()}
