"""Help pages in plain text: options in groups, examples at the end. Rich could do this, but takes long to import."""

from collections import defaultdict
from typing import Any

from typer.core import TyperCommand

OTHERS = "Other options"  # of options without a group


class GroupedCommand(TyperCommand):
    """A command whose help lists options by their `rich_help_panel`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each group of options under its name."""
        groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                is_argument = parameter.param_type_name == "argument"
                groups["Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or OTHERS].append(
                    record
                )
        others = groups.pop(OTHERS, [])
        for name, records in [*groups.items(), (OTHERS, others)]:
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)
