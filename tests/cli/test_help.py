"""`--help` is grouped, shows defaults, and ends with examples."""

import pytest
import typer

from cyclegan.cli import app

COMMANDS = typer.main.get_command(app).commands


def test_help_of_train_has_groups_defaults_and_examples(command):
    text = command("train", "--help").stdout
    groups = [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert groups == ["Arguments", "Data", "Schedule", "Network", "Hardware", "Settings", "Output", "Options"]
    assert "[default: 256]" in text
    assert "  cyclegan train horses/ zebras/\n" in text


@pytest.mark.parametrize("name", ["train", "distill", "demo"])
def test_every_option_belongs_to_a_group(name):
    options = [option for option in COMMANDS[name].params if option.param_type_name == "option"]
    assert [option.name for option in options if not option.rich_help_panel] == []


@pytest.mark.parametrize("name", ["train", "distill", "demo"])
def test_summaries_of_commands_are_not_cut(name):
    assert not COMMANDS[name].get_short_help_str(60).endswith("...")
