"""Product vectors of a network, kept until a weight changes: for one customer they cost most."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from finrec.networks.recommender import FusedRecommender

_held: WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], Tensor]] = WeakKeyDictionary()


def product_vectors(network: FusedRecommender) -> Tensor:
    """Vectors of all products [N, D] by the weights as they are now, without gradients of these.

    Whether a weight has changed is told by where it lies, by torch's own count of changes in place
    (which ``load_state_dict`` goes through) and by whether learning has begun since.
    """
    if network.training:
        network.eval()
    weights = [*network.parameters(), *network.buffers()]
    if any(w.is_inference() for w in weights):  # such a tensor does not tell when it is changed
        return network.products()
    state = (network.learning, *(n for w in weights for n in (w.data_ptr(), w._version)))
    held = _held.get(network)
    if held is None or held[0] != state:
        with torch.inference_mode(False), torch.no_grad():  # so that gradients may pass through
            held = (state, network.products())
        _held[network] = held
    return held[1]
