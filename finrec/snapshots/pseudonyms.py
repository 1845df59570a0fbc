"""Customer ids replaced by a keyed hash, so that a snapshot alone doesn't say who anybody is.

The same id gives the same pseudonym as long as the key is the same; without the key it can't be
traced back, not even by trying all ids. The key lives in a file that only its owner can read,
outside the folder of data.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec import config
from finrec.schema import CUSTOMER, SOURCE, TARGET, DataError, Dataset

KEY_BYTES = 32
KEY_FILE = "FINREC_KEY_FILE"  # environment variable that names another file
_ID_COLUMNS = (CUSTOMER, SOURCE, TARGET)


def key_path() -> Path:
    """Where the key is: FINREC_KEY_FILE, else ``finrec/pseudonym.key`` in the user's settings."""
    named = os.environ.get(KEY_FILE)
    if named:
        return Path(named)
    settings = os.environ.get("XDG_CONFIG_HOME")
    return (Path(settings) if settings else Path.home() / ".config") / "finrec" / "pseudonym.key"


def read_key(path: Path | None = None) -> bytes:
    """The key, made on first use; readable by its owner alone.

    Raises:
        DataError: when the file lies in the data folder, others may read it, or it is no key.
    """
    file = (path or key_path()).resolve()
    for folder in (config.data_dir(), config.models_dir()):
        if file.is_relative_to(folder.resolve()):
            raise DataError(
                f"The key {file.name} lies in {folder.name}/, beside what it protects; name a file "
                f"elsewhere in {KEY_FILE}."
            )
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as out:
                out.write(secrets.token_hex(KEY_BYTES))
                out.flush()
                os.fsync(out.fileno())
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise DataError(
                f"Others may read the key {file} (mode {mode:o}); run `chmod 600` on it."
            )
        key = bytes.fromhex(file.read_text().strip())
    except (OSError, ValueError) as error:
        raise DataError(f"The key {file} can't be read: {error}.") from error
    if len(key) < KEY_BYTES:
        raise DataError(f"The key {file} is cut short; restore it, or remove it to make a new one.")
    return key


def pseudonym(customer: str, key: bytes) -> str:
    """24 letters and digits that stand for an id."""
    digest = hmac.new(key, customer.encode(), hashlib.sha256).digest()[:15]
    return base64.b32encode(digest).decode().lower()


def pseudonymised(dataset: Dataset, key: bytes) -> Dataset:
    """The data set with every customer id replaced, in all of its tables."""

    def hidden(frame: pd.DataFrame) -> pd.DataFrame:
        changed = {
            column: frame[column].map(
                {c: pseudonym(str(c), key) for c in frame[column].dropna().unique()}
            )
            for column in _ID_COLUMNS
            if column in frame.columns
        }
        return frame.assign(**changed).astype({c: "str" for c in changed})

    return replace(
        dataset,
        customers=hidden(dataset.customers),
        events=hidden(dataset.events),
        links=hidden(dataset.links),
        extra={name: hidden(frame) for name, frame in dataset.extra.items()},
    )


def pseudonymise_files(folder: Path, key: bytes) -> None:
    """Replace every customer id in the Parquet files of a folder, batch by batch."""
    for file in sorted(folder.glob("*.parquet")):
        parquet = pq.ParquetFile(file)
        columns = [c for c in _ID_COLUMNS if c in parquet.schema_arrow.names]
        if not columns:
            continue
        part = file.with_suffix(".part")
        with pq.ParquetWriter(part, parquet.schema_arrow) as writer:
            for batch in parquet.iter_batches():
                for column in columns:
                    at = batch.schema.get_field_index(column)
                    hidden = [
                        None if c is None else pseudonym(c, key)
                        for c in batch.column(at).to_pylist()
                    ]
                    replaced = pa.array(hidden, batch.schema.field(at).type)
                    batch = batch.set_column(at, batch.schema.field(at), replaced)
                writer.write_batch(batch)
        os.replace(part, file)
