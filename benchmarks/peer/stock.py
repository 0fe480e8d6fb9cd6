# mypy: ignore-errors
"""A stock pipecat agent on the same models: what `benchmarks/peer/compare.py` calls beside Frontdesk.

    python stock.py PORT LLM_URL MODELS_DIR INSTRUCTIONS_FILE GREETING

It is assembled as pipecat's own guides do, with the defaults of its parts: silero, Smart Turn, faster-whisper, an
OpenAI-compatible server (llama.cpp's) and piper. It runs in a virtual environment of its own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.piper.tts import PiperTTSService
from pipecat.services.whisper.stt import WhisperSTTService
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

MAX_TOKENS = 80
VOICE = "en_US-joe-medium"

port, llm_url, models, instructions_file, greeting = sys.argv[1:]
instructions = Path(instructions_file).read_text(encoding="utf-8")
app = FastAPI()
calls: set[asyncio.Task[None]] = set()


async def hold(connection: SmallWebRTCConnection) -> None:
    """One call."""
    transport = SmallWebRTCTransport(connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True))
    stt = WhisperSTTService(
        device="cpu", compute_type="int8", settings=WhisperSTTService.Settings(model=f"{models}/whisper-tiny.en")
    )
    llm = OpenAILLMService(
        base_url=llm_url,
        api_key="none",
        settings=OpenAILLMService.Settings(model="local", temperature=0.0, max_tokens=MAX_TOKENS),
    )
    tts = PiperTTSService(download_dir=Path(models) / VOICE, settings=PiperTTSService.Settings(voice=VOICE))
    context = LLMContext([{"role": "system", "content": instructions}])
    pair = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()))
    stages = [transport.input(), stt, pair.user(), llm, tts, transport.output(), pair.assistant()]
    task = PipelineTask(Pipeline(stages))

    @transport.event_handler("on_client_connected")
    async def greet(*_: object) -> None:
        await task.queue_frames([TTSSpeakFrame(greeting)])

    @transport.event_handler("on_client_disconnected")
    async def end(*_: object) -> None:
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


@app.post("/api/offer")
async def offer(request: Request) -> dict[str, str]:
    body = await request.json()
    connection = SmallWebRTCConnection()
    await connection.initialize(sdp=body["sdp"], type=body["type"])
    task = asyncio.create_task(hold(connection))
    calls.add(task)
    task.add_done_callback(calls.discard)
    answer = connection.get_answer()
    return {"sdp": answer["sdp"], "type": answer["type"]}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
