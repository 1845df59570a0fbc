"""People at the app without a browser: they speak Streamlit's protocol and read what is sent.

25 browsers on the app's own two cores would measure the browsers. A visitor costs next to nothing,
so that what is waited for is the app.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE = 120.0  # seconds for one answer


@dataclass
class Visitor:
    """One session: opens the app, goes from screen to screen, looks for customers.

    Args:
        port: of the app.
        number: seeds what the visitor does.
    """

    port: int
    number: int
    socket: Any = None
    pages: dict[str, str] = field(default_factory=dict)
    here: str = ""
    search: str = ""
    faults: list[str] = field(default_factory=list)

    async def open(self) -> None:
        """Connect and have the first screen drawn."""
        from websockets.asyncio.client import connect

        self.socket = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream", subprotocols=["streamlit"],
            max_size=None, ping_interval=None,
        )  # fmt: skip
        await self._ask(BackMsg())

    async def close(self) -> None:
        """Leave."""
        if self.socket is not None:
            await self.socket.close()

    async def go(self, title: str) -> float:
        """To a screen; seconds until it was complete."""
        asked = BackMsg()
        asked.rerun_script.page_script_hash = self.pages[title]
        self.here, self.search = title, ""
        return await self._ask(asked)

    async def look_for(self, text: str) -> float:
        """Type the beginning of a customer's id on Customers; seconds until all was drawn."""
        asked = BackMsg()
        asked.rerun_script.page_script_hash = self.pages[self.here]
        state = asked.rerun_script.widget_states.widgets.add()
        state.id, state.string_value = self.search, text
        return await self._ask(asked)

    async def _ask(self, asked: BackMsg) -> float:
        if not asked.HasField("rerun_script"):
            asked.rerun_script.SetInParent()
        asked.rerun_script.context_info.locale = "en-GB"
        asked.rerun_script.context_info.timezone = "UTC"
        began = time.monotonic()
        await self.socket.send(asked.SerializeToString())
        async with asyncio.timeout(PATIENCE):
            while True:
                told = ForwardMsg()
                told.ParseFromString(await self.socket.recv())
                kind = told.WhichOneof("type")
                if kind == "navigation":
                    self.pages = {
                        p.page_name: p.page_script_hash for p in told.navigation.app_pages
                    }
                elif kind == "delta" and told.delta.HasField("new_element"):
                    element = told.delta.new_element
                    if element.HasField("exception"):
                        self.faults.append(f"{self.here}: {element.exception.message}")
                    elif (
                        element.HasField("text_input") and "begins with" in element.text_input.label
                    ):
                        self.search = element.text_input.id
                elif kind == "script_finished":
                    if told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                        continue
                    if told.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                        self.faults.append(f"{self.here}: the script failed")
                    return time.monotonic() - began


async def browse(
    visitor: Visitor, until: float, reading: tuple[float, float], screens: tuple[str, ...]
) -> list[float]:
    """Go about until then, pausing like a reader; seconds of each answer."""
    chance = random.Random(visitor.number)
    took = []
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(*reading))
        if visitor.search and chance.random() < 0.5:
            took.append(await visitor.look_for(f"C{chance.randrange(100):03d}"))
        else:
            took.append(await visitor.go(chance.choice(screens)))
    return took
