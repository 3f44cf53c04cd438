"""The authors' training step, written plainly (Zhu et al. 2017, sections 3 and 4): what benchmarks compare with.

One call for each loss term, a bias in every convolution, torch's own instance norm, past fakes in a list, Adam one
weight at a time, fp32. `Options` changes one ingredient at a time. The tests have a plain step of their own.
"""

import random
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan.config import Config
from cyclegan.models import Networks, build_networks
from cyclegan.models.layers import replace_instance_norms


@dataclass(frozen=True)
class Options:
    """What may differ from the authors' step."""

    dtype: torch.dtype = torch.float32  # of autocast
    tf32: bool = True  # in convolutions; torch's own default
    channels_last: bool = False  # with the product's instance norm, see `PlainNorm`
    fused_adam: bool = False
    compiled: bool = False
    recorded: bool = False  # the step as one CUDA graph; the fakes are then always new, for a graph repeats its choices


class PlainNorm(nn.Module):
    """torch's own instance norm.

    Not for channels last: on a CPU, torch 2.15 then computes a wrong gradient of its input, without an error.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.instance_norm(x)


def plain_networks(config: Config, device: torch.device, *, own_norm: bool = False) -> Networks:
    """Return the networks as the authors build them: a bias in every convolution, torch's instance norm or our own."""
    networks = build_networks(config)
    for _, network in networks.named_children():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
                module.bias = nn.Parameter(torch.zeros(module.out_channels))
        if not own_norm:
            replace_instance_norms(network, PlainNorm)
        network.to(device)
    return networks


class PlainStep:
    """Makes one training step at each call, and returns the generators' loss."""

    def __init__(self, config: Config, device: torch.device, options: Options | None = None) -> None:
        self.options = options or Options()
        self.device, self.weights = device, config.loss
        nets = plain_networks(config, device, own_norm=self.options.channels_last)
        if self.options.channels_last:
            for _, network in nets.named_children():
                network.to(memory_format=torch.channels_last)
        self.generators, self.discriminators = (nets.a2b, nets.b2a), (nets.disc_a, nets.disc_b)
        self.optimizer_g, self.optimizer_d = (
            self.adam(config, pair) for pair in (self.generators, self.discriminators)
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.options.dtype == torch.float16)
        self.pools: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.pool_size = 0 if self.options.recorded else config.training.pool_size
        every = (nets.a2b, nets.b2a, nets.disc_a, nets.disc_b)
        if self.options.compiled:
            every = tuple(torch.compile(network, dynamic=False) for network in every)
        self.a2b, self.b2a, self.disc_a, self.disc_b = every

    def adam(self, config: Config, networks: tuple[nn.Module, ...]) -> torch.optim.Adam:
        """Return the optimizer of two networks."""
        settings = config.optimizer
        return torch.optim.Adam(
            list(chain(*(network.parameters() for network in networks))),
            settings.learning_rate,
            (settings.beta1, settings.beta2),
            fused=self.options.fused_adam,
            foreach=False,
            capturable=self.options.recorded,
        )

    def __call__(self, real_a: Tensor, real_b: Tensor) -> Tensor:
        """Update the generators, then the discriminators, on n c h w images of [-1, 1]."""
        torch.backends.cudnn.allow_tf32 = self.options.tf32
        if self.options.channels_last:
            real_a, real_b = (real.contiguous(memory_format=torch.channels_last) for real in (real_a, real_b))
        with self.autocast():
            fake_b, fake_a = self.a2b(real_a), self.b2a(real_b)
            loss = self.generator_loss(real_a, real_b, fake_a, fake_b)
        self.update(self.optimizer_g, loss)
        past_a, past_b = self.query(0, fake_a.detach()), self.query(1, fake_b.detach())
        with self.autocast():
            loss_d = self.discriminator_loss(self.disc_a, real_a, past_a)
            loss_d = loss_d + self.discriminator_loss(self.disc_b, real_b, past_b)
        self.update(self.optimizer_d, loss_d)
        self.scaler.update()
        return loss.detach()

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which networks and losses are computed."""
        plain = self.options.dtype == torch.float32
        return nullcontext() if plain else torch.autocast(self.device.type, self.options.dtype)

    def generator_loss(self, real_a: Tensor, real_b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Tensor:
        """Return the sum of the adversarial, cycle and identity losses."""
        weights = self.weights
        for network in self.discriminators:
            network.requires_grad_(False)  # they only pass the gradient on
        adversarial = (self.disc_b(fake_b) - 1).square().mean() + (self.disc_a(fake_a) - 1).square().mean()
        cycle_a = weights.cycle_a * F.l1_loss(self.b2a(fake_b), real_a)
        cycle_b = weights.cycle_b * F.l1_loss(self.a2b(fake_a), real_b)
        identity_a = weights.cycle_a * weights.identity * F.l1_loss(self.b2a(real_a), real_a)
        identity_b = weights.cycle_b * weights.identity * F.l1_loss(self.a2b(real_b), real_b)
        return adversarial + cycle_a + cycle_b + identity_a + identity_b

    def discriminator_loss(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the mean squared errors of a discriminator on real images and on fakes."""
        for discriminator in self.discriminators:
            discriminator.requires_grad_(True)
        return 0.5 * ((network(real) - 1).square().mean() + network(fake).square().mean())

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """Take one step of an optimizer."""
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)

    def query(self, index: int, fakes: Tensor) -> Tensor:
        """Return fakes of which, once the pool is full, every second one is exchanged for a past one."""
        pool, chosen = self.pools[index], []
        for fake in fakes.split(1):
            if len(pool) < self.pool_size:
                pool.append(fake)
            elif pool and random.random() < 0.5:
                place = random.randrange(len(pool))
                fake, pool[place] = pool[place], fake
            chosen.append(fake)
        return torch.cat(chosen)
