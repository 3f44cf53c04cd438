"""With conditional discriminators and without cycles, a paired training is pix2pix (Isola et al. 2017)."""

import copy

import pytest
import torch
from torch import Tensor, nn

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config, load_settings
from cyclegan.errors import ConfigError
from cyclegan.export.model_files import export_reference
from cyclegan.images import Picture
from cyclegan.reference.importing import import_model
from cyclegan.reports.facts import training_facts
from cyclegan.training.state import TrainState
from cyclegan.translation.scores import Scorer
from tests.support.runs import train_run
from tests.support.states import run_step, tiny_state
from tests.training.test_paired import draw_scenes

PIX2PIX = {"cycle_a": 0.0, "cycle_b": 0.0, "identity": 0.0, "adversarial": "vanilla", "paired": 100.0}


class PlainPix2Pix:
    """The authors' mathematics for one direction (sections 3 and 3.3), in torch's words alone.

    G* = arg min_G max_D E[log D(x, y)] + E[log(1 - D(x, G(x)))] + 100 E|y - G(x)|, with D's objective halved, and G
    maximising log D(x, G(x)). The authors update D first in each step; CycleGAN, and this, update G first.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
        self.optimizer_g, self.optimizer_d = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )

    def step(self, x: Tensor, y: Tensor) -> dict[str, float]:
        """Update the generator, then the discriminator; return their losses."""
        cross_entropy = nn.BCEWithLogitsLoss()
        fake = self.generator(x)
        scores = self.discriminator(torch.cat([x, fake], 1))
        gan, l1 = cross_entropy(scores, torch.ones_like(scores)), 100 * nn.L1Loss()(fake, y)
        self.optimizer_g.zero_grad()
        (gan + l1).backward()
        self.optimizer_g.step()

        real_scores = self.discriminator(torch.cat([x, y], 1))
        fake_scores = self.discriminator(torch.cat([x, fake.detach()], 1))
        disc = 0.5 * (
            cross_entropy(real_scores, torch.ones_like(real_scores))
            + cross_entropy(fake_scores, torch.zeros_like(fake_scores))
        )
        self.optimizer_d.zero_grad()
        disc.backward()
        self.optimizer_d.step()
        return {"gan": gan.item(), "paired": l1.item(), "disc": disc.item()}


def paired_state() -> TrainState:
    """Return a state whose two samples of each step are pairs."""
    state = tiny_state(dtype=torch.float64, weights=PIX2PIX, conditional=True)
    state.is_pair = torch.ones(2, dtype=torch.float64)
    return state


def test_losses_and_weights_of_three_steps_equal_pix2pix():
    state = paired_state()
    nets = state.networks
    a2b, b2a = PlainPix2Pix(nets.a2b, nets.disc_b), PlainPix2Pix(nets.b2a, nets.disc_a)
    random = torch.Generator().manual_seed(5)
    for _ in range(3):
        x, y = torch.rand(2, 2, 3, 32, 32, generator=random, dtype=torch.float64) * 2 - 1
        ours = run_step(state, x, y)
        assert not [name for name in ours if name.startswith("cycle")], "what has no weight is not computed"
        for plain, direction, disc, sample in ((a2b, "a2b", "disc_b", (x, y)), (b2a, "b2a", "disc_a", (y, x))):
            theirs = plain.step(*sample)
            assert float(ours[f"gan_{direction}"]) == pytest.approx(theirs["gan"], abs=1e-10)
            assert float(ours[f"paired_{direction}"]) == pytest.approx(theirs["paired"], abs=1e-10)
            assert float(ours[disc]) == pytest.approx(theirs["disc"], abs=1e-10)
    for ours_network, theirs_network in (
        (nets.a2b, a2b.generator),
        (nets.b2a, b2a.generator),
        (nets.disc_a, b2a.discriminator),
        (nets.disc_b, a2b.discriminator),
    ):
        for weight, expected in zip(ours_network.parameters(), theirs_network.parameters(), strict=True):
            torch.testing.assert_close(weight, expected, rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train a few steps on pairs and a loose picture, with validation and diagnostics."""
    folder = tmp_path_factory.mktemp("conditional")
    folders = draw_scenes(folder)
    (folders[1] / "0.png").rename(folders[1] / "loose.png")
    run = Run(folder / "run")
    conditional = {
        "data": {"paired": True, "validate": 0.3, "channels_b": 1},
        "discriminator": {"conditional": True},
        "logging": {"every": 2, "diagnose_every": 2, "validate_every": 2},
    }
    train_run(run, folders, 4, conditional)
    return run


def test_a_run_logs_its_measures_and_continues(conditional_run: Run):
    lines = read_metrics(conditional_run)
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[-1]["fake_grad_norm_a2b"] > 0
    assert "swd_b2a" in lines[-1]
    assert lines[-1]["truth_error_b2a"] > 0
    assert "held_out_score_a" not in lines[-1], "its score would need the true source"


def test_the_report_names_pairs_and_their_loss(conditional_run: Run):
    facts = dict(training_facts(build_config(load_settings(conditional_run.config))))
    assert "Pairs" in facts
    assert facts["Losses"].endswith("pairs 100")
    assert "see the source" in facts["Discriminators"]


def test_scores_depend_on_the_source_too(conditional_run: Run):
    scorer = Scorer(Translator(conditional_run.folder, device="cpu"))
    pixels = torch.randint(0, 256, (2, 40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    translated = Picture(pixels[0].numpy())
    scores = {scorer.score(Picture(source.numpy()), translated).realism for source in pixels}
    assert len(scores) == 2


def test_conditional_discriminators_go_to_the_authors_files_and_back(conditional_run: Run, tmp_path):
    info, weights = load_model(conditional_run.model)
    export_reference(tmp_path, weights, info)
    again, imported = import_model([tmp_path])
    assert again.discriminator == info.discriminator
    assert (again.channels_a, again.channels_b) == (3, 1)
    assert all(torch.equal(imported[name], weight) for name, weight in weights.items())


def test_conditional_discriminators_without_pairs_are_an_error():
    with pytest.raises(ConfigError, match="learn from pairs"):
        build_config({"discriminator": {"conditional": True}})
