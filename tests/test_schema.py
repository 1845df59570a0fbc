"""What a data set promises is checked, and what breaks a promise is named."""

from dataclasses import replace

import numpy as np
import pytest

from finrec.schema import DataError, Dataset, validated


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_a_link_without_a_weight_is_refused_rather_than_learned_from(
    small_dataset: Dataset, weight: float
) -> None:
    links = small_dataset.links.copy()
    links.loc[1, "weight"] = weight
    with pytest.raises(DataError, match="Table links, row 2: weight"):
        validated(replace(small_dataset, links=links))
