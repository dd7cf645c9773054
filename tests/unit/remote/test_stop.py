"""Work that waits is asked to stop: at once, once, and for ever."""

from __future__ import annotations

import pytest

from gm_analytics.errors import GmError, Stopped
from gm_analytics.remote.stop import Stop


def test_who_is_asked_goes_on_no_more() -> None:
    stop = Stop()
    stop.check()
    assert stop.asked is None
    stop.ask("cancelled by ada")
    stop.ask("another reason")
    assert stop.asked == "cancelled by ada"
    with pytest.raises(Stopped, match="stopped: cancelled by ada") as caught:
        stop.check()
    assert not caught.value.transient
    assert str(GmError.from_json(caught.value.to_json())) == "stopped: cancelled by ada"


def test_what_is_registered_is_called_once_while_it_is() -> None:
    stop, called = Stop(), []
    with stop.calling(lambda: called.append("early")):
        pass
    with stop.calling(lambda: called.append("one")), stop.calling(lambda: called.append("two")):
        stop.ask("x")
        stop.ask("y")
    assert called == ["one", "two"]
    with stop.calling(lambda: called.append("late")):
        assert called == ["one", "two", "late"]


def test_one_that_fails_keeps_nobody_from_being_called() -> None:
    stop, called = Stop(), []

    def fail() -> None:
        raise ValueError

    with stop.calling(fail), stop.calling(lambda: called.append("other")):
        stop.ask("x")
    assert called == ["other"]
