"""What the web's signs of life depend on."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any

from gm_analytics.errors import StoreUnavailable
from gm_analytics.supervisor import WEB, Supervisor
from gm_analytics.web.life import Life
from gm_analytics.web.listening import listening_on
from gm_analytics.web.server import Limits, Server, configure
from tests.support.notified import notified


def test_the_web_lives_while_a_look_at_the_store_comes_to_an_end(tmp_path: Path) -> None:
    stuck, looks = threading.Event(), 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise StoreUnavailable("looking", "away")
        if looks == 3:
            stuck.wait(30)

    async def beat(life: Life, times: int) -> None:
        for _ in range(times):
            await life.beat()
            await asyncio.sleep(0.05)
        stuck.set()

    with notified(tmp_path) as systemd:
        supervisor = Supervisor.taken_from(systemd.environ(watchdog=4))
        supervisor.expect(WEB)
        life = Life(supervisor, look, "127.0.0.1:1")
        assert life.every == 1
        asyncio.run(beat(life, 6))
        said = [one["STATUS"] for one in systemd.hear()]
    where = "answers on 127.0.0.1:1"
    assert said[:2] == [where, f"{where}, but the store is away"]
    assert looks == 3, "while one hangs no other begins, so that threads do not pile up"
    assert len(said) <= 3, "the third is of the end alone"


def test_a_slow_client_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """systemd would kill the web after half a minute, and call it failed."""
    asked = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:  # as ASGI calls it
        asked.set()
        while (await receive()).get("more_body"):
            pass

    with notified(tmp_path) as systemd:
        life = Life(Supervisor(str(systemd.path)), lambda: None, "here")
        listening = listening_on("127.0.0.1", 0)
        address = listening.getsockname()
        server = Server(configure(app, *address, Limits(ending=1), life), life)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        with socket.create_connection(address) as client:
            client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")
            assert asked.wait(10)
            began, server.should_exit = time.monotonic(), True
            thread.join(20)
            assert not thread.is_alive()
        assert time.monotonic() - began < 6
        systemd.wait_for(lambda said: said.get("STATUS") == "answers what it was asked")
