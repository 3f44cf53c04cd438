"""The table of known data sets."""

import re
from pathlib import Path

import pytest

from cyclegan.data.sets import DataSet, domain_names, find_set, known_sets
from cyclegan.errors import DataError


def test_the_table_is_complete():
    for data_set in known_sets().values():
        assert data_set.licence
        assert data_set.urls or data_set.instead
        assert all(url.startswith("https://") for url in data_set.urls)
        assert data_set.sha256 is None or re.fullmatch("[0-9a-f]{64}", data_set.sha256)
        assert all(not Path(place).is_absolute() and count > 0 for place, count in data_set.counts.items())
    assert len(known_sets()) == 14


def test_an_unknown_name_suggests_similar_ones():
    with pytest.raises(DataError) as raised:
        find_set("Horses2zebra")
    assert raised.value.hint == "Did you mean horse2zebra?"
    with pytest.raises(DataError, match="cannot be a data set's name"):
        find_set("../evil", has_source=True)
    assert find_set("mine", has_source=True) == DataSet(name="mine")


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("horse2zebra", ("horse", "zebra")),
        ("summer2winter_yosemite", ("summer", "winter")),
        ("grumpifycat", ("russian_blue", "grumpy")),
        ("day2night", ("day", "night")),
        ("photos_2024", ("A", "B")),
        ("a2a", ("A", "B")),
        ("maps", ("A", "B")),
    ],
)
def test_domain_names(name, domains):
    assert domain_names(name) == domains
