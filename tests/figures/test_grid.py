"""Methods side by side, drawn as they were measured."""

import pandas as pd

from finrec.figures import grid

TABLE = pd.DataFrame({"protocol": "R2", "method": ["+gnn", "itemcf"], "seeds": [3, 1],
                      "mean": [0.3, 0.2], "sd": [0.01, float("nan")], "low": [0.25, 0.1],
                      "high": [0.4, 0.3], "p": [float("nan"), 0.01]})  # fmt: skip


def test_bars_carry_means_and_intervals_and_name_the_best():
    figure, words = grid.bars(TABLE, "ndcg@3")
    (bar,) = figure.data
    assert list(bar.x) == [0.3, 0.2] and list(bar.y) == ["+gnn", "itemcf"]
    assert [round(v, 3) for v in bar.error_x.array] == [0.1, 0.1]
    assert [round(v, 3) for v in bar.error_x.arrayminus] == [0.05, 0.1]
    assert bar.marker.color[0] != bar.marker.color[1] and "+gnn with 0.3000" in words
    assert "Nothing" in grid.bars(TABLE.head(0), "ndcg@3")[1]
    assert grid.shown(TABLE).columns[0] == "Method" and len(grid.shown(TABLE)) == 2
