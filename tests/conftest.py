"""What many tests share: the models' folder, sound, and one device that runs for the whole session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.bench.device import Device, running
from appliance.bench.utterances import Utterance, default_folder, load
from appliance.models.manifest import default_models_dir


@pytest.fixture(scope="session")
def models() -> Path:
    """The weights that `frontdesk models pull` fetched."""
    return default_models_dir()


@pytest.fixture(scope="session")
def utterances() -> dict[str, Utterance]:
    return {utterance.id: utterance for utterance in load(default_folder())}


@pytest.fixture(scope="session")
def device() -> Iterator[Device]:
    """`frontdesk run` in a process of its own, with two lines."""
    with asyncio.Runner() as runner:
        starting = running({"FRONTDESK_LIMITS__CALLS": "2"})
        yield runner.run(starting.__aenter__())
        runner.run(starting.__aexit__(None, None, None))
