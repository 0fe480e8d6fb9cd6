"""The four engines of a device: their workers, and what the flow sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from appliance.engines.contracts import Engines
from appliance.engines.local.proxy import LocalLanguageModel, LocalRecogniser, LocalSynthesiser, LocalTurnDetector
from appliance.models.manifest import default_models_dir
from appliance.models.manifest import load as load_manifest
from appliance.models.store import Store
from appliance.terms.config import Config
from appliance.terms.events import EngineChanged
from appliance.workers.supervisor import Worker

SENSE_MODEL = "smart-turn-v3.2"
LOCAL = "appliance.engines.local"
SPARE_SEQUENCES = 1
SENSE_NICE = 3
LLM_NICE = 4
"""Who gives way when all want the processor. The verdict of smart-turn is needed later than the transcript, and while
the language model writes the next clause, the first one's speech is awaited."""


def models_dir(config: Config) -> Path:
    """Where the weights lie."""
    return Path(config.models.dir).expanduser() if config.models.dir else default_models_dir()


class EngineRoom:
    """Starts the workers, knows which are ready, stops them. Raises ModelError at once where a model is missing."""

    def __init__(self, config: Config, instructions: str, emit: Callable[[EngineChanged], None]) -> None:
        store = _store(config)
        llm = store.path(config.llm.model)
        self.stt = stt_worker(config, emit)
        self.llm = Worker(
            "llm",
            f"{LOCAL}.llama:Llama",
            {
                "model": str(_only(llm, "*.gguf")),
                "prefix": instructions,
                "calls": config.limits.calls + SPARE_SEQUENCES,
                "threads": config.llm.threads,
            },
            emit=emit,
            nice=LLM_NICE,
        )
        self.tts = Worker(
            "tts",
            f"{LOCAL}.piper:Piper",
            {"model": str(_only(store.path(config.tts.voice), "*.onnx")), "threads": config.tts.threads},
            emit=emit,
        )
        self.sense = Worker(
            "sense",
            f"{LOCAL}.smartturn:SmartTurn",
            {"model": str(_only(store.path(SENSE_MODEL), "*.onnx"))},
            emit=emit,
            nice=SENSE_NICE,
        )
        self.engines = Engines(
            stt=LocalRecogniser(self.stt),
            llm=LocalLanguageModel(self.llm),
            tts=LocalSynthesiser(self.tts),
            sense=LocalTurnDetector(self.sense),
        )

    @property
    def workers(self) -> tuple[Worker, ...]:
        return (self.stt, self.llm, self.tts, self.sense)

    async def start(self, timeout_s: float) -> None:
        """Returns once all are warm. Raises EngineDown with the first's reason after `timeout_s`."""
        for worker in self.workers:
            await worker.start()
        await asyncio.gather(*(worker.wait_ready(timeout_s) for worker in self.workers))

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    def missing(self) -> list[str]:
        """The names of the engines that are not ready."""
        return [worker.name for worker in self.workers if not worker.is_ready]


def stt_worker(config: Config, emit: Callable[[EngineChanged], None]) -> Worker:
    """Speech recognition alone."""
    options = {"model": str(_store(config).path(config.stt.model)), "threads": config.stt.threads}
    return Worker("stt", f"{LOCAL}.whisper:Whisper", options, emit=emit)


def _store(config: Config) -> Store:
    return Store(models_dir(config), load_manifest())


def _only(folder: Path, pattern: str) -> Path:
    """The one file of a model's folder that the engine opens."""
    return next(iter(sorted(folder.glob(pattern))))
