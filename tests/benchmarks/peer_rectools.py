"""Speed of RecTools' SASRec on histories given as CSV; runs in an environment of its own.

``python peer_rectools.py EVENTS.csv SHAPE_JSON`` prints one JSON object as its last line. The
shape says width, layers, heads, length, batch, and of how many customers, the first, is learned.
The second of two passes is timed, as for finrec.
"""

import json
import sys
import time

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Seconds of each pass, in a list of the class because the trainer is copied."""

    passes: list[float] = []

    def on_train_epoch_start(self, trainer, module):
        """Start the clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer, module):
        """Stop it."""
        self.passes.append(time.perf_counter() - self.began)


def dataset_of(events: pd.DataFrame) -> Dataset:
    """RecTools' form of them."""
    return Dataset.construct(
        pd.DataFrame(
            {
                Columns.User: events["customer"],
                Columns.Item: events["product"],
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(events["time"], unit="s"),
            }
        )
    )


def main(file: str, shape: dict) -> dict:
    """Learn two passes from some customers, score everybody once."""
    torch.manual_seed(0)
    torch.set_num_threads(shape["threads"])
    events = pd.read_csv(file)
    people = events["customer"].unique()
    learned = dataset_of(events[events["customer"].isin(people[: shape["customers"]])])

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[Clock()],
        )  # fmt: skip

    model = SASRecModel(
        n_blocks=shape["layers"], n_heads=shape["heads"], n_factors=shape["width"],
        session_max_len=shape["length"], batch_size=shape["batch"], loss="softmax",
        recommend_batch_size=1024, get_trainer_func=trainer,
    )  # fmt: skip
    model.fit(learned)
    everybody = dataset_of(events)
    began = time.perf_counter()
    model.recommend(
        people, everybody, k=10, filter_viewed=True,
        on_unsupported_targets="ignore",  # the few whose products none of the others took
    )  # fmt: skip
    return {
        "seconds_a_pass": Clock.passes[1],
        "seconds_scoring": time.perf_counter() - began,
        "customers": len(people),
        "parameters": sum(p.numel() for p in model.lightning_model.torch_model.parameters()),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
