"""The method in a picture and in words."""

from __future__ import annotations

import pytest

from finrec.figures import method


@pytest.mark.parametrize(("text", "graph"), [(True, True), (True, False), (False, False)])
def test_what_a_model_lacks_is_not_drawn(text: bool, graph: bool) -> None:
    figure = method.picture(text, graph)
    words = {a.text for a in figure.layout.annotations if a.text}
    assert ("Graph network" in words) == graph
    assert ("Language model,<br>pretrained" in words) == text
    arrows = [a for a in figure.layout.annotations if a.showarrow]
    assert len(arrows) == len(method.flows(text, graph)) == len(method.table(text, graph))
    said = method.describe(text, graph)
    assert ("its text" in said) == text and ("graph" in said) == graph


def test_gates_in_words() -> None:
    said = method.gates({"profile": 0.25, "graph": 0.5})
    assert "attributes 25%" in said and "graph 50%" in said
