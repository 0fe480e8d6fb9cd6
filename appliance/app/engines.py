"""The four engines of a device: their workers, and what the flow sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.engines.contracts import Engines
from appliance.engines.local.precedence import Precedence
from appliance.engines.local.proxy import (
    LocalLanguageModel,
    LocalReader,
    LocalRecogniser,
    LocalSynthesiser,
    LocalTurnDetector,
)
from appliance.models.manifest import default_models_dir
from appliance.models.manifest import load as load_manifest
from appliance.models.store import Store
from appliance.terms.config import Config
from appliance.terms.errors import ModelError
from appliance.terms.events import EngineChanged
from appliance.workers.supervisor import Worker

from .tuning import MEASURED, Tuning

Emit = Callable[[EngineChanged], None]

TURN_MODEL = "smart-turn-v3.2"
MEANING_MODEL = "all-minilm-l6-v2"
LOCAL = "appliance.engines.local"
SPARE_SEQUENCES = 1
CONTEXT_TOKENS = 8192
"""Of the language model; all calls share it."""
FOR_INSTRUCTIONS = 0.7
"""So much of a call's share may be instructions; the rest is for what is said."""
LLM_NICE = 4
"""It gives way when all want the processor: while it writes the next clause, the first one's speech is awaited."""


def models_dir(config: Config) -> Path:
    """Where the weights lie."""
    return Path(config.models.dir).expanduser() if config.models.dir else default_models_dir()


class EngineRoom:
    """Starts the workers, knows which are ready, stops them. Raises ModelError at once where a model is missing.

    `state` is the device's folder for what it keeps.
    """

    def __init__(self, config: Config, instructions: str, state: Path, emit: Emit) -> None:
        self._tuning = tuning = Tuning(state)
        self.models: Mapping[str, str] = {"stt": config.stt.model, "llm": config.llm.model, "tts": config.tts.voice}
        self.stt = stt_worker(config, tuning, emit)
        self.llm = llm_worker(config, instructions, state, tuning, emit)
        self.tts = tts_worker(config, tuning, emit)
        self.sense = sense_worker(config, emit)
        stt, llm, tts = LocalRecogniser(self.stt), LocalLanguageModel(self.llm), LocalSynthesiser(self.tts)
        reader = LocalReader(self.sense)
        self.precedence: Mapping[str, Precedence] = {
            "stt": stt.precedence,
            "llm": llm.precedence,
            "tts": tts.precedence,
            "sense": reader.precedence,
        }
        """Who had to wait for the visitor at the kiosk."""
        self.engines = Engines(
            stt=stt,
            llm=llm,
            tts=tts,
            sense=LocalTurnDetector(self.sense, reader.precedence),
            reader=reader,
        )

    @property
    def workers(self) -> tuple[Worker, ...]:
        return (self.stt, self.llm, self.tts, self.sense)

    async def start(self, timeout_s: float) -> None:
        """Returns once all are warm. Raises EngineDown with the first's reason after `timeout_s`.

        Where threads are still to be measured, one engine starts after the other: together they would measure each
        other.
        """
        measuring = [worker for worker in self.workers if worker.options.get("threads") == MEASURED]
        for worker in self.workers:
            await worker.start()
            if measuring:
                await worker.wait_ready(timeout_s)
        await asyncio.gather(*(worker.wait_ready(timeout_s) for worker in self.workers))
        for worker in measuring:
            self._tuning.keep(worker.name, self.models[worker.name], worker.facts)

    def expect_visitor(self, *, expected: bool) -> None:
        """A visitor at the kiosk speaks, or waits for an answer; or no longer."""
        for one in self.precedence.values():
            one.expected = expected

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    def missing(self) -> list[str]:
        """The names of the engines that are not ready."""
        return [worker.name for worker in self.workers if not worker.is_ready]


def stt_worker(config: Config, tuning: Tuning, emit: Emit) -> Worker:
    """Speech recognition alone."""
    options = {
        "model": str(weights(config, config.stt.model, "model.bin").parent),
        "threads": tuning.threads("stt", config.stt.model, config.stt.threads),
        "device": config.stt.device,
        "language": config.stt.language,
    }
    return Worker("stt", f"{LOCAL}.whisper:Whisper", options, emit=emit)


def llm_worker(config: Config, instructions: str, state: Path, tuning: Tuning, emit: Emit) -> Worker:
    """The language model alone."""
    options = {
        "model": str(weights(config, config.llm.model, "*.gguf")),
        "prefix": instructions,
        "calls": _sequences(config),
        "context": CONTEXT_TOKENS,
        "threads": tuning.threads("llm", config.llm.model, config.llm.threads),
        "gpu_layers": config.llm.gpu_layers,
        "requantise": tuning.requantise(config.llm.model, config.llm.requantise),
        "keep": str(state),
    }
    return Worker("llm", f"{LOCAL}.llama:Llama", options, emit=emit, nice=LLM_NICE)


def tts_worker(config: Config, tuning: Tuning, emit: Emit) -> Worker:
    """Speech synthesis alone."""
    options = {
        "model": str(weights(config, config.tts.voice, "*.onnx")),
        "threads": tuning.threads("tts", config.tts.voice, config.tts.threads),
    }
    return Worker("tts", f"{LOCAL}.piper:Piper", options, emit=emit)


def room_for_instructions(config: Config) -> int:
    """How many tokens the language model's instructions may have."""
    return int(CONTEXT_TOKENS // (_sequences(config) + 1) * FOR_INSTRUCTIONS)


def _sequences(config: Config) -> int:
    return config.limits.calls + SPARE_SEQUENCES + config.http.share + config.kiosk.enabled


def sense_worker(config: Config, emit: Emit) -> Worker:
    models = {
        "turn": str(weights(config, TURN_MODEL, "*.onnx")),
        "meaning": str(weights(config, MEANING_MODEL, "*.onnx")),
        "tokenizer": str(weights(config, MEANING_MODEL, "tokenizer.json")),
    }
    return Worker("sense", f"{LOCAL}.sense:Sense", models, emit=emit)


def names(config: Config) -> list[str]:
    """The models of the manifest that this configuration uses; the owner's own, given by path, are not among them."""
    wanted = (config.stt.model, config.llm.model, config.tts.voice, TURN_MODEL, MEANING_MODEL)
    return [name for name in wanted if not is_path(name)]


def is_path(name: str) -> bool:
    """A model's name has no slash; a path has one."""
    return "/" in name


def weights(config: Config, name: str, pattern: str) -> Path:
    """The file that an engine opens: of a model of the manifest, or of the owner's own file or folder.

    Raises ModelError where it is not there.
    """
    if not is_path(name):
        return next(iter(sorted(_store(config).path(name).glob(pattern))))
    own = Path(name).expanduser()
    found = own if own.is_file() else next(iter(sorted(own.glob(pattern))), None)
    if found is None:
        raise ModelError(f"{own}: there is no {pattern.lstrip('*.')} file", mend="Correct the path in frontdesk.toml.")
    return found


def _store(config: Config) -> Store:
    return Store(models_dir(config), load_manifest())
