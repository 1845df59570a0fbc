"""Product vectors are kept, and never those of other weights."""

from __future__ import annotations

import numpy as np
import torch

from finrec import presets
from finrec.split import split
from finrec.training import assemble
from finrec.training.fused_scorer import FusedScorer
from finrec.training.product_vectors import product_vectors


def test_a_validation_never_sees_the_vectors_of_earlier_weights(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "layers": 1, "heads": 2},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    torch.manual_seed(0)
    network = assemble.network(given, settings)
    scorer = FusedScorer(network, given, 20)
    few = histories.take(np.arange(8))
    # Fused, as in training: such a step does not count as a change in place.
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05, fused=True)
    seen = [scorer.score(few)]
    for _ in range(3):
        network.train()
        network.products().square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        network.eval()
        seen.append(scorer.score(few))
        with torch.no_grad():
            torch.testing.assert_close(product_vectors(network), network.products())
        assert product_vectors(network) is product_vectors(network)
        assert not np.allclose(seen[-1], seen[-2])
        np.testing.assert_array_equal(seen[-1], scorer.score(few))
