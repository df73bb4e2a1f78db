"""Strict nbval compares what is committed: what a cell puts out now is tidied as `make
notebooks` tidies it.
"""

import os

import pytest
from execute import tidy
from nbval.plugin import IPyNbCell

os.environ["TQDM_DISABLE"] = "1"


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        compare = item.compare_outputs
        item.compare_outputs = lambda now, committed: compare(tidy(now), committed)
