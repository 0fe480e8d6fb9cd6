"""Messages that callers left, on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.store.messages import MessageStore

NOON, LATER, EVENING = "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:30.000Z", "2026-01-31T18:00:00.000Z"


def message(text: str) -> dict[str, Any]:
    return {"call": "c1", "door": "sip", "to": "", "text": text, "name": "Bob", "number": "12345"}


def test_a_message_is_there_after_a_start_until_it_is_done_with(tmp_path: Path) -> None:
    store = MessageStore(tmp_path / "messages.db")
    first = store.keep(message("Come."), NOON, ())
    second = store.keep(message("Go."), NOON, ())
    store.close()
    store = MessageStore(tmp_path / "messages.db")
    assert [(m["id"], m["text"], m["done"]) for m in store.messages(10)] == [
        (second, "Go.", False),
        (first, "Come.", False),
    ]
    assert store.done_with(first)
    assert not store.done_with(99)
    assert [m["done"] for m in store.messages(10)] == [False, True]
    store.close()


def test_it_is_due_by_each_way_until_it_is_sent(tmp_path: Path) -> None:
    store = MessageStore(tmp_path / "messages.db")
    store.keep(message("Come."), NOON, ("mail", "webhook"))
    mail, webhook = store.due(NOON)
    assert (mail.way, webhook.way) == ("mail", "webhook")
    assert webhook.message == {"id": 1, "taken": NOON, **message("Come.")}
    store.sent(mail, NOON)
    store.not_sent(webhook, "it is down", LATER)
    assert store.due(NOON) == []
    (again,) = store.due(LATER)
    assert (again.way, again.tries) == ("webhook", 1)
    (kept,) = store.messages(10)
    assert kept["ways"] == {
        "mail": {"sent": NOON, "problem": ""},
        "webhook": {"sent": None, "problem": "it is down"},
    }
    store.sent(again, EVENING)
    assert store.due(EVENING) == []
    store.close()


def test_of_too_many_those_that_are_done_with_go_first(tmp_path: Path) -> None:
    store = MessageStore(tmp_path / "messages.db", most=3)
    numbers = [store.keep(message(str(number)), NOON, ("mail",)) for number in range(3)]
    store.done_with(numbers[1])
    store.keep(message("3"), NOON, ())
    assert [m["text"] for m in store.messages(10)] == ["3", "2", "0"]
    store.keep(message("4"), NOON, ())
    assert [m["text"] for m in store.messages(10)] == ["4", "3", "2"]
    assert [delivery.id for delivery in store.due(NOON)] == [3]
    store.close()
