"""The reference's files become models that translate as they did, and go back as they were; nothing in them is run."""

import os
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model, save_model, weights_of
from cyclegan.errors import ModelFileError
from cyclegan.export import export_reference
from cyclegan.models import UNetGenerator, build_discriminator, build_generator
from cyclegan.reference.importing import import_model
from cyclegan.reference.pth import NETWORK_NAMES, to_reference
from tests.pth_files import (
    DISCRIMINATORS,
    GENERATORS,
    drawn,
    golden_weights,
    save_networks,
    small_generator,
    with_old_statistics,
    wrapped,
)
from tests.support.golden import golden, under


def imported(path: Path, *files: Path, **options) -> Path:
    """Import files as a model."""
    save_model(path, *import_model(files, **options))
    return path


def assert_the_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    """Assert that weights came back as they were, but for biases that a norm cancels, which may be zeros."""
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        cancelled = name.endswith("bias") and not ours[name].any()
        assert ours[name].dtype == tensor.dtype
        assert cancelled or torch.equal(ours[name], tensor), name


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_of_the_reference_translates_as_it_did_and_goes_back_as_it_was(tmp_path, name: str, prefix: str):
    torch.save(wrapped(with_old_statistics(name), prefix), tmp_path / "latest_net_G.pth")
    model = imported(tmp_path / "m.safetensors", tmp_path / "latest_net_G.pth")
    tensors, _ = golden(name)
    translated = Translator(model, device="cpu", precision="fp32")(tensors["input"])
    assert (translated - tensors["output"]).abs().max() <= 1e-5
    info, weights = load_model(model)
    (written,) = export_reference(tmp_path / "out", weights, info)
    assert_the_same(torch.load(written, weights_only=True), golden_weights(name))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_come_along_and_go_back_as_they_were(tmp_path, name: str):
    torch.save(golden_weights("generator_resnet_6blocks"), tmp_path / "latest_net_G_A.pth")
    torch.save(wrapped(with_old_statistics(name), "module."), tmp_path / "latest_net_D_B.pth")
    info, weights = import_model([tmp_path])
    assert weights_of("disc_a", weights)
    written = export_reference(tmp_path / "out", weights, info)
    assert [path.name for path in written] == ["latest_net_G_A.pth", "latest_net_D_B.pth"]
    assert_the_same(torch.load(written[1], weights_only=True), golden_weights(name))


def test_g_a_leads_from_a_to_b_and_d_a_scores_images_of_b(tmp_path):
    theirs = save_networks(tmp_path / "theirs")
    info, weights = import_model([tmp_path / "theirs"], domain_a="horses", domain_b="zebras")
    assert (info.domain_a, info.domain_b) == ("horses", "zebras")
    for ours, name in {"a2b": "G_A", "b2a": "G_B", "disc_b": "D_A", "disc_a": "D_B"}.items():
        own = weights_of(ours, weights)
        assert own.keys() == theirs[name].state_dict().keys()
        assert all(torch.equal(own[key], tensor) for key, tensor in theirs[name].state_dict().items())


def test_an_imported_model_has_the_losses_of_the_reference(tmp_path):
    """Its D_A and G_A, in the places where we put them, give the losses that it called D_A and G_A."""
    tensors, settings = golden("training_lsgan")
    for name in NETWORK_NAMES:
        torch.save(under(tensors, f"initial.{name}."), tmp_path / f"latest_net_{name}.pth")
    info, weights = import_model([tmp_path])
    nets = {ours: build_generator(info.generator) for ours in ("a2b", "b2a")}
    nets |= {ours: build_discriminator(info.discriminator) for ours in ("disc_a", "disc_b")}
    for ours, network in nets.items():
        network.load_state_dict(weights_of(ours, weights))
    losses = dict(zip(settings["loss_names"].split(","), tensors["losses"][0].tolist(), strict=True))
    with torch.no_grad():
        real, fake = nets["disc_b"](tensors["real_B.0"]), nets["disc_b"](nets["a2b"](tensors["real_A.0"]))
    assert ((real - 1).square().mean() + fake.square().mean()).item() / 2 == pytest.approx(losses["D_A"], rel=1e-4)
    assert (fake - 1).square().mean().item() == pytest.approx(losses["G_A"], rel=1e-4)


def test_a_folder_stands_for_its_latest_epoch(tmp_path):
    save_networks(tmp_path, "5")
    newest = save_networks(tmp_path, "200")
    assert torch.equal(import_model([tmp_path])[1]["a2b.body.1.weight"], newest["G_A"].state_dict()["body.1.weight"])
    last = save_networks(tmp_path, "latest", blocks=2)
    assert torch.equal(import_model([tmp_path])[1]["a2b.body.1.weight"], last["G_A"].state_dict()["body.1.weight"])


def test_a_single_generator_goes_one_way_and_says_so_for_the_other(tmp_path):
    single = tmp_path / "latest_net_G.pth"
    torch.save(to_reference(small_generator()), single)
    for there, back in (("a2b", "b2a"), ("b2a", "a2b")):
        model = imported(tmp_path / "m.safetensors", single, direction=there)
        assert Translator(model, direction=there, device="cpu")(torch.zeros(1, 3, 9, 9)).shape == (1, 3, 9, 9)
        with pytest.raises(ModelFileError, match=f"translates one way only, {there}, and {back} was asked for"):
            Translator(model, direction=back, device="cpu")


def test_names_and_contents_that_contradict_each_other_are_sentences(tmp_path):
    networks = save_networks(tmp_path)
    generators = [tmp_path / f"latest_net_{name}.pth" for name in ("G_A", "G_B")]
    other, unnamed, discriminator = (tmp_path / f"{name}.pth" for name in ("netG_B", "horse2zebra", "D"))
    torch.save(to_reference(small_generator(blocks=2)), other)
    torch.save(to_reference(small_generator()), unnamed)
    torch.save(to_reference(networks["D_A"]), discriminator)
    torch.save(to_reference(networks["D_A"]), tmp_path / "1_net_G_A.pth")
    for files, options, answer in (
        ([generators[0], unnamed], {}, "horse2zebra.pth would both become a2b"),
        ([generators[0]], {"direction": "b2a"}, "latest_net_G_A.pth is a2b by its name"),
        ([generators[0], other], {}, "the two generators are not built alike: .*blocks=1.*blocks=2"),
        ([discriminator], {}, "holds a discriminator, and its name does not say of what"),
        ([tmp_path / "1_net_G_A.pth"], {}, "holds a discriminator, and its name says otherwise"),
        ([tmp_path / "latest_net_D_A.pth"], {}, "there is no generator"),
        ([unnamed], {"domain_a": "../x"}, "cannot be a domain's name"),
        ([tmp_path / "none.pth"], {}, "none.pth was refused: it cannot be read: No such file"),
    ):
        with pytest.raises(ModelFileError, match=answer):
            import_model(files, **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match=r"latest_net_G_A.pth, nor any file of such a name"):
        import_model([tmp_path / "empty"])


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 3), (3, 1)])
def test_grey_domains_translate_and_export_unchanged(tmp_path, a: int, b: int):
    theirs = save_networks(tmp_path / "theirs", a=a, b=b)
    model = imported(tmp_path / "m.safetensors", tmp_path / "theirs")
    info, weights = load_model(model)
    assert (info.channels_a, info.channels_b) == (a, b)
    for direction, name, channels in (("a2b", "G_A", a), ("b2a", "G_B", b)):
        images = torch.rand(2, channels, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
        translated = Translator(model, direction=direction, device="cpu", precision="fp32")(images)
        assert (translated - theirs[name](images)).abs().max() <= 1e-5
    for written in export_reference(tmp_path / "out", weights, info):
        before = torch.load(tmp_path / "theirs" / written.name, weights_only=True)
        assert_the_same(torch.load(written, weights_only=True), before)


def test_one_generator_tells_the_channels_of_both_sides(tmp_path):
    torch.save(to_reference(drawn(UNetGenerator(1, 3, width=2, depth=3))), tmp_path / "edges.pth")
    there, back = (import_model([tmp_path / "edges.pth"], direction=way)[0] for way in ("a2b", "b2a"))
    assert (there.channels_a, there.channels_b, back.channels_a, back.channels_b) == (1, 3, 3, 1)


def test_networks_that_disagree_on_a_domain_s_channels_are_a_sentence(tmp_path):
    grey, colour, mixed = tmp_path / "grey", tmp_path / "colour", tmp_path / "mixed"
    for folder, a, b in ((grey, 1, 1), (colour, 3, 3), (mixed, 1, 3)):
        save_networks(folder, a=a, b=b)
    for files, answer in (
        ((grey, "G_A", colour, "G_B"), r"images of A have channels 1 in \S+grey/\S+G_A.pth and 3 in \S+colour/\S+G_B"),
        ((mixed, "G_A", grey, "D_A"), r"images of B have channels 1 in \S+grey/\S+D_A.pth and 3 in \S+mixed/\S+G_A"),
        ((colour, "G_B", mixed, "D_B"), r"images of A have channels 1 in \S+mixed/\S+D_B.pth and 3 in \S+colour/"),
        ((mixed, "D_A", mixed, "D_B", grey, "G_A"), r"images of B have channels 1 in \S+G_A.pth and 3 in \S+D_A.pth"),
    ):
        paths = [folder / f"latest_net_{name}.pth" for folder, name in zip(files[::2], files[1::2], strict=True)]
        with pytest.raises(ModelFileError, match=answer):
            import_model(paths)


class Payload:
    """What a malicious file does when it is unpickled by anyone less careful."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def save_zipped(content: object, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickled(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def save_pickled_lately(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=5))


@pytest.mark.parametrize("save", [save_zipped, save_legacy, save_pickled, save_pickled_lately])
@pytest.mark.parametrize("hidden", [True, False], ids=["among weights", "alone"])
def test_a_file_that_carries_code_is_refused_and_runs_nothing(tmp_path, monkeypatch, save, hidden: bool):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # even where somebody has asked torch to be careless
    payload, bad = Payload(tmp_path / "ran"), tmp_path / "bad_net_G_A.pth"
    save(to_reference(small_generator()) | {"model.1.extra": payload} if hidden else payload, bad)
    with pytest.raises(
        ModelFileError, match=r"bad_net_G_A.pth was refused: it (carries code, \S+,|.* or carries code,)"
    ):
        import_model([bad])
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(payload))  # noqa: S301
    assert (tmp_path / "ran").exists()  # so it would have


def test_objects_of_python_are_refused_by_name(tmp_path):
    torch.save({"opt": Namespace(name="horse2zebra")}, tmp_path / "net_G.pth")
    with pytest.raises(
        ModelFileError, match=r"net_G.pth was refused: it carries code, argparse.Namespace, and nothing"
    ):
        import_model([tmp_path / "net_G.pth"])


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_is_a_sentence(tmp_path, keep: float, legacy: bool):
    path = tmp_path / "net_G.pth"
    (save_legacy if legacy else save_zipped)(to_reference(small_generator()), path)
    assert import_model([path])[0].generator.width == 4
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ModelFileError, match=r"net_G.pth was refused: it is damaged, or"):
        import_model([path])


def test_rubbish_is_a_sentence(tmp_path):
    for rubbish in (b"rubbish" * 99, b"\x80\x02", b"PK\x03\x04" + b"\0" * 99, bytes(range(256))):
        (tmp_path / "net_G.pth").write_bytes(rubbish)
        with pytest.raises(ModelFileError, match=r"net_G.pth was refused"):
            import_model([tmp_path / "net_G.pth"])
