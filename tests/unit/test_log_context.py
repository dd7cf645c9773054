"""What a line of the log is about goes with what runs, and into its threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from gm_analytics.log_context import about, carried, concerning


def test_fields_are_those_of_the_block_and_of_those_around_it() -> None:
    assert about() == {}
    with concerning(step="survey", update="u"):
        with concerning(step="download", mirror=""):
            assert list(about().items()) == [("update", "u"), ("step", "download")]
        assert about()["step"] == "survey"
    assert about() == {}


def test_they_are_carried_into_a_thread_and_stay_apart_there() -> None:
    found: list[dict[str, str]] = []

    def look() -> None:
        with concerning(step="inner"):
            found.append(about())

    with concerning(update="u"):
        threads = [threading.Thread(target=carried(look)), threading.Thread(target=look)]
        for thread in threads:
            thread.start()
            thread.join()
        assert about() == {"update": "u"}
        with ThreadPoolExecutor(2) as pool:
            assert pool.submit(carried(about)).result() == {"update": "u"}
            assert pool.submit(about).result() == {}
    assert found == [{"update": "u", "step": "inner"}, {"step": "inner"}]
