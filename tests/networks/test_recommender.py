"""The fused network: no future, no padding, no difference between scoring and explaining."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from finrec.config import PARTS
from finrec.features import graph as graphs
from finrec.features import sequences
from finrec.networks.relations import Around, CustomerNode, ProductGraph
from finrec.presets import settings
from finrec.split import split
from finrec.training import assemble
from finrec.training.fused_scorer import FusedScorer


@pytest.fixture
def made(small_dataset, monkeypatch):
    """A function that builds a network for the small data set with given parts."""
    monkeypatch.setattr(
        assemble.text, "encode", lambda texts, *_, **__: np.ones((len(texts), 16), np.float32)
    )

    def make(parts="+tl+gnn", **model):
        found = settings(
            small_dataset.info,
            "small@0",
            "quick",
            parts=parts,
            model={"width": 16, "length": 20, **model},
        )
        cut = split(small_dataset)
        given, histories = assemble.inputs(cut, "valid", found)
        torch.manual_seed(1)
        network = assemble.network(given, found).eval()
        for parameter in network.parameters():  # zeros would hide mistakes
            if parameter.abs().max() == 0:
                torch.nn.init.normal_(parameter, std=0.1)
        if network.paths is not None:
            network.paths.strength.fill_(0.7)
            network.paths.sharpness.fill_(20.0)
            network.paths.decay.fill_(0.8)
        return network, given, histories, cut

    return make


def batch_of(given, histories, rows, length=20):
    return sequences.batch(sequences.encode(histories, given.customers), np.array(rows), length)


@pytest.mark.parametrize("parts", list(PARTS))
@pytest.mark.parametrize("decoder_layers", [0, 1])
@pytest.mark.parametrize("calendar", [False, True])
def test_explain_gives_the_scores_of_forward_and_contributions_that_add_up(
    made, parts, decoder_layers, calendar
):
    network, given, histories, _ = made(
        parts, decoder_layers=decoder_layers, calendar=calendar, gaps=calendar
    )
    batch = batch_of(given, histories, range(10))
    with torch.no_grad():
        scores, evidence = network(batch), network.explain(batch)
    torch.testing.assert_close(evidence.scores, scores)
    torch.testing.assert_close(sum(evidence.contributions.values()) + network.prior(), scores)
    assert (evidence.neighbours is not None) == PARTS[parts][1]
    assert len(evidence.trail.decoder) == decoder_layers


@pytest.mark.parametrize("decoder_layers", [0, 1])
@pytest.mark.parametrize("calendar", [False, True])
def test_a_later_event_never_changes_an_earlier_state(made, decoder_layers, calendar):
    network, given, histories, _ = made(
        decoder_layers=decoder_layers, calendar=calendar, gaps=calendar
    )
    row = int(np.argmax(histories.lengths))
    batch = batch_of(given, histories, [row])
    last = int(batch.lengths[0]) - 1
    changed = replace(
        batch,
        products=batch.products.clone()
        .index_add_(1, torch.tensor([last]), torch.ones(1, 1, dtype=torch.int64), alpha=-1)
        .remainder_(12),
        kinds=batch.kinds.clone().index_fill_(1, torch.tensor([last]), 2),
        amounts=batch.amounts.clone().index_fill_(1, torch.tensor([last]), 5),
    )
    with torch.no_grad():
        products = network.products()
        before, after = network.states(batch, products), network.states(changed, products)
    torch.testing.assert_close(before[:, : last + 1], after[:, : last + 1])
    assert not torch.allclose(before[:, last + 1], after[:, last + 1])


def test_padding_never_changes_a_score(made):
    network, given, histories, _ = made(calendar=True, gaps=True)
    order = np.argsort(histories.lengths)
    short, long = int(order[0]), int(order[-1])
    assert histories.lengths[short] < histories.lengths[long]
    with torch.no_grad():
        alone = network(batch_of(given, histories, [short]))
        padded = network(batch_of(given, histories, [short, long]))
        evidence = network.explain(batch_of(given, histories, [short, long]))
        lone = network.explain(batch_of(given, histories, [short]))
    torch.testing.assert_close(alone[0], padded[0])
    tokens = int(histories.lengths[short]) + 1
    torch.testing.assert_close(evidence.neighbours[0, :tokens], lone.neighbours[0])
    assert evidence.neighbours[0, tokens:].abs().max() == 0


def test_customers_without_events_and_unknown_attributes_are_scored(made):
    network, given, _, cut = made()
    from finrec.scorer import cohort

    nobody = cohort(
        ["somebody new"], cut.valid.train, cut.customers, cut.catalogue, cut.valid.until
    )
    scores = FusedScorer(network, given, 20).score(nobody)
    assert scores.shape == (1, 12) and np.isfinite(scores).all()


def test_scores_do_not_depend_on_company_or_order(made):
    network, given, histories, _ = made()
    scorer = FusedScorer(network, given, 20)
    whole = scorer.score(histories)
    order = np.random.default_rng(0).permutation(len(histories))
    np.testing.assert_allclose(
        scorer.score(histories.take(order), batch=7), whole[order], atol=2e-5
    )


@pytest.mark.parametrize("parts", list(PARTS))
@pytest.mark.parametrize("layers", [(1, 0), (2, 0), (2, 1), (1, 2)])
@pytest.mark.parametrize("pre_norm", [True, False])
def test_customers_of_many_batches_are_the_last_states_of_each(made, parts, layers, pre_norm):
    network, given, histories, _ = made(
        parts, layers=layers[0], decoder_layers=layers[1], pre_norm=pre_norm, calendar=True
    )
    batches = [batch_of(given, histories, rows) for rows in ([0, 1, 2], [3], [4, 5, 6, 7, 8])]
    with torch.no_grad():
        products = network.products()
        found = network.customers_of(batches, products).split([3, 1, 5])
        for vectors, batch in zip(found, batches, strict=True):
            states = network.states(batch, products)[torch.arange(len(vectors)), batch.lengths]
            torch.testing.assert_close(vectors, states)


def test_scores_of_a_large_cohort_are_those_of_forward(made):
    network, given, histories, _ = made()
    many = histories.take(np.arange(2_000) % len(histories))  # several slabs, filled up
    rows = np.random.default_rng(0).permutation(2_000)[:50]
    with torch.no_grad():
        expected = network.explain(batch_of(given, many, rows)).scores.numpy()
    found = FusedScorer(network, given, 20).score(many)
    np.testing.assert_allclose(found[rows], expected, atol=2e-5)


def test_paths_are_added_to_the_rows_asked_for(made):
    network, given, histories, _ = made()
    batch = batch_of(given, histories, range(6))
    rows = torch.tensor([7, 0, 3, 5, 1, 8])
    scores = torch.randn(9, 12)
    expected = scores.clone()
    expected[rows] += network.paths(batch.products, batch.lengths)
    network.paths.add_to(scores, rows, batch.products, batch.lengths)
    torch.testing.assert_close(scores, expected)


def ring(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """CSR of a weighted symmetric graph, normalised as D^-1/2 A D^-1/2."""
    rng = np.random.default_rng(0)
    dense = np.triu(rng.random((n, n)) < 0.3, 1) * rng.random((n, n))
    dense = dense + dense.T
    root = 1 / np.sqrt(np.maximum(dense.sum(1), 1e-9)) * (dense.sum(1) > 0)
    dense = dense * root[:, None] * root[None]
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    return (
        torch.from_numpy(indptr),
        torch.from_numpy(columns),
        torch.from_numpy(dense[rows, columns].astype(np.float32)),
    )


def test_eq_10_gcn_layer_equals_pytorch_geometrics():
    torch.manual_seed(0)
    graph = ProductGraph("gcn", 1, 8, *ring(15))
    layer = GCNConv(8, 8, bias=False, normalize=False, add_self_loops=False)
    with torch.no_grad():
        layer.lin.weight.copy_(torch.randn(8, 8))
        graph.convolutions[0].weight.copy_(layer.lin.weight)
        x = torch.randn(15, 8)
        expected = x + torch.nn.functional.gelu(layer(x, graph.edges(), graph.values))
        torch.testing.assert_close(graph(x), expected)


def test_sparse_product_has_the_gradient_of_a_dense_one():
    torch.manual_seed(0)
    graph = ProductGraph("lightgcn", 2, 4, *ring(9))
    x = torch.randn(9, 4, requires_grad=True)
    graph(x).square().sum().backward()
    dense = graph.matrix().to_dense()
    y = x.detach().clone().requires_grad_()
    (y + dense @ y + dense @ dense @ y).square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize("kind", ["gcn", "gat", "gatv2", "lightgcn"])
def test_relabelling_nodes_permutes_results(kind):
    torch.manual_seed(0)
    indptr, indices, values = ring(12)
    graph = ProductGraph(kind, 2, 8, indptr, indices, values).eval()
    order = torch.randperm(12)
    dense = graph.matrix().to_dense()[order][:, order].to_sparse_csr()
    other = ProductGraph(
        kind, 2, 8, dense.crow_indices(), dense.col_indices(), dense.values()
    ).eval()
    other.load_state_dict(graph.state_dict())
    x = torch.randn(12, 8)
    torch.testing.assert_close(other(x[order]), graph(x)[order], atol=1e-5, rtol=1e-4)


def test_eq_12_customer_node_matches_the_formula_at_every_moment():
    torch.manual_seed(0)
    node = CustomerNode(6)
    torch.nn.init.normal_(node.of_customer)
    torch.nn.init.normal_(node.of_product)
    own, products = torch.randn(1, 6), torch.randn(1, 4, 6)
    out = node(own, products)
    w, a_v, a_u = node.project.weight, node.of_customer, node.of_product
    for moment in range(5):
        neighbours = torch.cat([own, products[0, :moment]]) @ w.T
        logits = torch.nn.functional.leaky_relu(neighbours @ a_u + (own @ w.T) @ a_v, 0.2)
        share = logits.softmax(0)
        expected = torch.nn.functional.elu((share[:, None] * neighbours).sum(0))
        torch.testing.assert_close(out[0, moment], expected, atol=2e-2, rtol=2e-2)
    real = torch.ones(1, 5, dtype=torch.bool)
    shares, _, _ = node.coefficients(own, products, real)
    torch.testing.assert_close(shares[0], share, atol=2e-2, rtol=2e-2)


def test_customer_node_has_its_attributes_at_every_moment():
    torch.manual_seed(0)
    node = CustomerNode(6)
    torch.nn.init.normal_(node.of_customer)
    torch.nn.init.normal_(node.of_product)
    own, attributes, products = torch.randn(1, 6), torch.randn(1, 2, 6), torch.randn(1, 4, 6)
    out = node(own, products, Around(attributes))
    assert out.shape == (1, 5, 6)
    for moment in range(5):
        alone = node(own, torch.cat([attributes, products[:, :moment]], 1))[0, -1]
        torch.testing.assert_close(out[0, moment], alone)
    real = torch.tensor([[True, True, True, False, False]])
    of_events, of_attributes, _ = node.coefficients(own, products, real, Around(attributes))
    assert of_events.shape == (1, 5) and of_attributes.shape == (1, 2)
    assert (of_events[0, 3:] == 0).all() and (of_attributes > 0).all()
    torch.testing.assert_close(of_events.sum() + of_attributes.sum(), torch.tensor(1.0))


def test_hidden_edges_equal_a_graph_without_those_customers(made):
    network, given, histories, _ = made()
    rows = np.array([0, 3, 5])
    hidden = assemble.hidden_edges(given, histories, rows, torch.device("cpu"))
    rest = histories.take(np.setdiff1d(np.arange(len(histories)), rows))
    left, right, weight = graphs.pairs(rest.offsets, rest.products, given.graph.relation)
    dense = np.zeros((12, 12), np.float32)
    np.add.at(dense, (left, right), weight)
    root = given.graph.inverse_root_degree
    dense = torch.from_numpy(dense * root[:, None] * root[None])
    x = torch.randn(12, 16)
    graph = network.graph
    graph.kind, layers = "lightgcn", graph.strength.shape[0]
    expected, y = x.clone(), x
    for strength in graph.strength[:layers]:
        y = dense @ y
        expected = expected + strength * y
    torch.testing.assert_close(graph(x, hidden), expected, atol=1e-5, rtol=1e-4)


def test_path_tower_walks_by_hand(made):
    network, given, histories, _ = made()
    matrix = given.paths.matrix().toarray()  # to (row) from (column)
    rows = np.argsort(histories.lengths)[-3:]
    batch = batch_of(given, histories, rows)
    found = network.paths(batch.products, batch.lengths).numpy()
    for place, row in enumerate(rows):
        own = histories.take([row]).products[-20:]
        walk = sum(0.8**age * matrix[:, product] for age, product in enumerate(own[::-1]))
        np.testing.assert_allclose(found[place], 0.7 * np.log1p(20 * walk), rtol=1e-4)


def test_paths_count_pairs_by_distance_and_direction():
    from finrec.scorer import Cohort

    one = Cohort(
        ids=np.array(["a"], dtype=object), offsets=np.array([0, 3]), products=np.array([0, 1, 2]),
        kinds=np.zeros(3, int), times=np.arange(3), amounts=np.zeros(3, np.float32),
        asof=np.array([9]), profile=None,
    )  # fmt: skip
    found = graphs.paths(one, 4).matrix().toarray()
    raw = np.zeros((4, 4))  # to, from
    raw[1, 0] = raw[2, 1] = 1.0
    raw[2, 0] = 0.85
    raw[0, 1] = raw[1, 2] = 0.5
    raw[0, 2] = 0.85 * 0.5
    into = np.where(raw.sum(1) > 0, raw.sum(1), 1)
    out = np.where(raw.sum(0) > 0, raw.sum(0), 1)
    np.testing.assert_allclose(found, raw / into[:, None] ** 0.5 / out[None] ** 0.3, rtol=1e-5)


@pytest.mark.parametrize("decoder_layers", [0, 1, 2])
@pytest.mark.parametrize("pre_norm", [False, True])
def test_the_last_state_alone_is_the_last_of_all_states(made, decoder_layers, pre_norm):
    network, given, histories, _ = made(
        decoder_layers=decoder_layers, pre_norm=pre_norm, graph_attributes=True
    )
    batch = batch_of(given, histories, range(12))
    with torch.no_grad():
        products = network.products()
        states = network.states(batch, products)
        expected = states[torch.arange(12), batch.lengths]
        torch.testing.assert_close(network.customers(batch, products), expected)


def test_walks_equal_their_definition(made):
    network, given, histories, _ = made()
    batch = batch_of(given, histories, range(12))
    dense = given.paths.matrix().toarray()
    found = network.paths.walks(batch.products, batch.lengths).numpy()
    for row in range(12):
        expected = np.zeros(len(dense))
        length = int(batch.lengths[row])
        for place in range(length):
            age = length - 1 - place
            expected += 0.8**age * dense[:, int(batch.products[row, place])]
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-7)
    nobody = batch_of(given, histories.take([0]), [0])
    empty = network.paths.walks(nobody.products[:, :0], torch.zeros(1, dtype=torch.int64))
    assert empty.shape == (1, len(dense)) and (empty == 0).all()
