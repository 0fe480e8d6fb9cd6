"""The language model in a worker: llama.cpp's low-level API, all calls in one context and one decode batch.

Sequence 0 holds the instructions (persona and knowledge), decoded once. A call gets a sequence of its own that starts
as a copy of that prefix; a request carries the whole conversation, and what its tokens share with the call's sequence
is never decoded again. So history is appended, an interrupted reply is trimmed to what was heard, and a call whose
worker died is simply read anew.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llama_cpp as llama
import numpy as np

from appliance.workers.mailbox import Mailbox, Request

from .precedence import USUAL
from .requantise import requantised
from .threads import Threads, candidates, fastest

PREFILL_BATCH = 64
"""Prompt tokens of one request in one batch: the others' next tokens wait no longer than that takes."""
MAX_BATCH = 512
CONTEXT_TOKENS = 8192
MAX_PIECE = 128
PREFIX = 0
KEPT = ".kv"
DIGEST_BYTES = 32
NOWHERE = -1
MANY = 48
"""So many of the likeliest tokens hold nearly all the probability."""
END_MARKS = (".", "?", "!", "\n", "…", "。", "？", "！", "؟", "।")
SAMPLE_PROMPT = 16
SAMPLE_CLAUSE = 6
MATCH = 16
"""So many tokens alike are the same words of the same turn."""
FIRST_TOKENS = 12
"""The first clause is among these. Each is made once the one before was taken: who takes no more for now (that clause
is being synthesised, or the turn is not known to be over) leaves the processor to the others; one token ahead would
cost the clause's speech 40 ms."""
LATER_AHEAD = 4
"""Of later tokens so many may be on their way: several calls in one batch need not wait for each other's listeners."""
GRACE_S = 0.003
"""A token takes about 1 ms to be taken. The batch waits for it: four calls in one are twice as fast as one by one."""


@dataclass(slots=True)
class Place:
    """One call's place in the context: `tokens` are exactly those in its cache."""

    id: int
    tokens: list[int] = field(default_factory=list)
    used: float = 0.0


@dataclass(slots=True)
class Job:
    """One request being worked on. `prompt` is what is still to be decoded of it."""

    request: Request
    sequence: Place
    prompt: deque[int]
    left: int
    weighed_at: int
    """The position of the last word of what is answered, before its punctuation: how likely does it end there?"""
    ends: float | None = None
    said: int = 0
    sent: float = 0.0
    text: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    @property
    def ahead(self) -> int:
        """How many of its tokens may be on their way."""
        return 1 if self.said < FIRST_TOKENS else LATER_AHEAD


class Llama:
    """`generate`: `{call, messages, max_tokens}` in, `{text}` parts out, one a token, the first with `ends`; `prefill`,
    also of what is still being said (not `ended`); `forget`."""

    def __init__(
        self,
        model: str,
        prefix: str,
        calls: int,
        threads: int = 2,
        context: int = CONTEXT_TOKENS,
        gpu_layers: int = 0,
        keep: str = "",
        requantise: str = "off",
    ) -> None:
        """`keep`: a folder where decoded instructions and faster weights are kept, so that the next start need not make
        them. `requantise` `auto`: use such weights where they are worth it. `threads` 0: as many as are best."""
        faster = keep and requantise != "off" and not gpu_layers
        weights = requantised(Path(model), Path(keep) / "weights") if faster else None
        sizes = {"threads": threads or 1, "sequences": calls + 1, "context": context, "gpu_layers": gpu_layers}
        try:
            self._model = Model(str(weights or model), **sizes)
        except ValueError:
            if weights is None:
                raise
            weights.unlink()  # damaged; made anew at the next start
            self._model, weights = Model(model, **sizes), None
        model = str(weights or model)
        best = Threads(threads) if threads else fastest(candidates(), self._model.sample)
        self._model.use_threads(best.count)
        self._spare = [Place(id=i) for i in range(1, calls + 1)]
        self._calls: dict[str, Place] = {}
        self._jobs: list[Job] = []
        self._room = context // (calls + 1)
        self.reused = 0
        """How many of the last request's tokens were in the cache already."""
        self._prefix = self._model.tokens([("system", prefix)], answer=False)
        if len(self._prefix) > self._room * 3 // 4:
            raise ValueError(
                f"persona and knowledge take {len(self._prefix)} tokens, and {self._room * 3 // 4} fit: shorten them"
            )
        kept = KeptPrefix(Path(keep) / "prompts", model, self._prefix, calls, context) if keep else None
        loaded = kept is not None and kept.load(self._model)
        if not loaded:
            self._model.decode_all(self._prefix, PREFIX)
            if kept is not None:
                kept.save(self._model)
        self.facts: Mapping[str, Any] = {
            "prefix_tokens": len(self._prefix),
            "prefix_loaded": loaded,
            **best.facts,
            "requantise": "auto" if weights else "off",
        }

    def serve(self, mailbox: Mailbox) -> None:
        """Work on every open request a token at a time, until EOFError."""
        while True:
            request = mailbox.take(wait=not self._jobs)
            while request is not None:
                self._begin(request, mailbox)
                request = mailbox.take(wait=False)
            self._drop_cancelled(mailbox)
            wanted = [job for job in self._jobs if mailbox.ahead(job.request) < job.ahead]
            # In one batch with others a job is half as fast: who goes first has it alone.
            wanted = [job for job in wanted if job.request.priority > USUAL] or wanted
            if any(time.monotonic() - job.sent < GRACE_S for job in self._jobs if job not in wanted):
                mailbox.rest(GRACE_S)
            elif wanted:
                self._step(wanted, mailbox)
            elif self._jobs:
                mailbox.rest()

    # --- requests

    def _begin(self, request: Request, mailbox: Mailbox) -> None:
        if mailbox.cancelled(request):
            mailbox.error(request, "cancelled")
        elif time.monotonic() > request.deadline:
            mailbox.error(request, "its deadline passed while it waited", late=True)
        elif request.op == "forget":
            self._forget(str(request.arguments["call"]))
            mailbox.done(request)
        elif request.op in ("generate", "prefill"):
            self._open(request, mailbox)
        else:
            mailbox.error(request, f"unknown operation {request.op!r}")

    def _open(self, request: Request, mailbox: Mailbox) -> None:
        call = str(request.arguments["call"])
        for job in [job for job in self._jobs if job.request.arguments["call"] == call]:
            self._jobs.remove(job)  # a call has one conversation: its newer request takes the place of the older
            mailbox.error(job.request, "a newer request of the same call came")
        answer = request.op == "generate"
        left = int(request.arguments.get("max_tokens", 0)) if answer else 0
        messages, ended = request.arguments["messages"], bool(request.arguments.get("ended", True))
        tokens = self._model.tokens(messages, answer=answer, ended=ended)
        weighed_at = self._end_of_words(messages, tokens) if answer and messages[-1][0] == "user" else NOWHERE
        if len(tokens) + left > self._room:
            mailbox.error(request, f"a conversation of {len(tokens)} tokens does not fit {self._room}", full=True)
            return
        sequence = self._sequence(call)
        if sequence is None:
            mailbox.error(request, "every sequence is taken", full=True)
            return
        most = weighed_at if weighed_at >= len(self._prefix) else len(tokens) - 1
        self.reused = keep = self._reuse(sequence, tokens, most)
        job = Job(request=request, sequence=sequence, prompt=deque(tokens[keep:]), left=left, weighed_at=weighed_at)
        self._jobs.append(job)

    def _end_of_words(self, messages: Sequence[Sequence[str]], tokens: Sequence[int]) -> int:
        """Where among the tokens of a conversation the last word of its last message is; NOWHERE if it is not alone."""
        said = self._model.tokens(messages, answer=True, ended=False)
        return len(said) - 1 if said == tokens[: len(said)] else NOWHERE

    def _sequence(self, call: str) -> Place | None:
        """The call's sequence; a free one for a new call, else the one unused for longest."""
        if call not in self._calls:
            if not self._spare:
                busy = {job.sequence.id for job in self._jobs}
                idle = [(s.used, name) for name, s in self._calls.items() if s.id not in busy]
                if not idle:
                    return None
                self._forget(min(idle)[1])
            self._calls[call] = self._spare.pop()
        self._calls[call].used = time.monotonic()
        return self._calls[call]

    def _reuse(self, sequence: Place, tokens: Sequence[int], most: int) -> int:
        """Leave in the cache what `tokens` shares with it, and no more than `most`; how many that is.

        Where the history's oldest turns were dropped, what follows them moves up in the cache and is not read again.
        """
        if not sequence.tokens:
            shared = min(_common(self._prefix, tokens), most)
            self._model.copy(PREFIX, sequence.id, shared)
        else:
            shared = min(_common(sequence.tokens, tokens), most)
            dropped = _dropped(sequence.tokens, tokens, shared)
            if dropped and shared >= len(self._prefix):  # cells of the prefix belong to all calls: they never move
                self._model.move_up(sequence.id, shared + dropped, shared)
                sequence.tokens = [*sequence.tokens[:shared], *sequence.tokens[shared + dropped :]]
                shared = min(_common(sequence.tokens, tokens), most)
            self._model.trim(sequence.id, shared)
        sequence.tokens = list(tokens[:shared])
        return shared

    def _forget(self, call: str) -> None:
        sequence = self._calls.pop(call, None)
        if sequence is not None:
            self._jobs = [job for job in self._jobs if job.sequence is not sequence]
            self._model.trim(sequence.id, 0)
            self._spare.append(Place(id=sequence.id))

    def _drop_cancelled(self, mailbox: Mailbox) -> None:
        for job in [job for job in self._jobs if mailbox.cancelled(job.request)]:
            self._jobs.remove(job)
            mailbox.error(job.request, "cancelled")

    # --- decoding

    def _step(self, jobs: Sequence[Job], mailbox: Mailbox) -> None:
        """One batch: every job's next token, or the next piece of its prompt; then what they say next."""
        batch: list[tuple[int, int, int, bool]] = []
        asked: list[tuple[Job, int]] = []
        weighed: list[tuple[Job, int]] = []
        share = max(1, min(PREFILL_BATCH, MAX_BATCH // len(jobs)))
        for job in jobs:
            for _ in range(min(share, len(job.prompt))):
                token, position = job.prompt.popleft(), len(job.sequence.tokens)
                if position == job.weighed_at:
                    weighed.append((job, len(batch)))
                batch.append((token, position, job.sequence.id, not job.prompt or position == job.weighed_at))
                job.sequence.tokens.append(token)
            if not job.prompt:
                asked.append((job, len(batch) - 1))
        self._model.decode(batch)
        for job, index in weighed:
            job.ends = round(self._model.ends_here(index), 4)
        for job, index in asked:
            self._answer(job, index, mailbox)

    def _answer(self, job: Job, index: int, mailbox: Mailbox) -> None:
        token = self._model.likeliest(index) if job.left else self._model.end
        if self._model.ends(token):
            self._jobs.remove(job)
            mailbox.done(job.request)
            return
        job.sent = time.monotonic()
        job.said += 1
        told = {"ends": job.ends} if job.said == 1 and job.ends is not None else {}
        mailbox.part(job.request, {"text": job.text.decode(self._model.piece(token)), **told})
        job.left -= 1
        if job.left:
            job.prompt.append(token)
        else:
            self._jobs.remove(job)
            mailbox.done(job.request)


class KeptPrefix:
    """The decoded instructions as a file, named by all that they depend on; an older one gives way.

    It carries its own checksum: llama.cpp aborts the process on a damaged state.
    """

    def __init__(self, folder: Path, model: str, tokens: Sequence[int], calls: int, context: int) -> None:
        weights = Path(model).stat()
        about = [model, weights.st_size, weights.st_mtime_ns, *tokens, calls, context, llama.__version__]
        name = hashlib.sha256(repr(about).encode()).hexdigest()[:32]
        self._file = folder / f"{name}{KEPT}"

    def load(self, model: Model) -> bool:
        """Is sequence 0 now what it would be had it been decoded?"""
        try:
            kept = self._file.read_bytes()
        except OSError:
            return False
        digest, state = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
        return hashlib.sha256(state).digest() == digest and model.restore(PREFIX, state)

    def save(self, model: Model) -> None:
        """A disk that is full or read-only only costs the next start its time."""
        state = model.state(PREFIX)
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(hashlib.sha256(state).digest() + state)
            part.replace(self._file)
            for other in self._file.parent.glob(f"*{KEPT}"):
                if other != self._file:
                    other.unlink()
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


class Model:
    """llama.cpp's context as we use it: tokens, positions and sequences, and nothing of calls."""

    def __init__(self, path: str, *, threads: int, sequences: int, context: int, gpu_layers: int) -> None:
        llama.llama_log_set(_silent, ctypes.c_void_p(0))
        llama.llama_backend_init()
        if gpu_layers and not llama.llama_supports_gpu_offload():
            raise ValueError(
                f"llm.gpu_layers = {gpu_layers}, but this build of llama.cpp uses no GPU: set it to 0, or build"
                " llama-cpp-python for the GPU as docs/hardware.md says"
            )
        options = llama.llama_model_default_params()
        options.n_gpu_layers = gpu_layers
        model = llama.llama_model_load_from_file(path.encode(), options)
        if not model:
            raise ValueError(f"{path} is not a model that llama.cpp can load")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = MAX_BATCH
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True  # else every sequence gets n_ctx / n_seq_max, the prefix included
        self._context = llama.llama_init_from_model(model, parameters)
        if not self._context:
            raise ValueError(f"{path} has no room for a context of {context} tokens")
        self._memory = llama.llama_get_memory(self._context)
        self._vocabulary = llama.llama_model_get_vocab(model)
        self._size = llama.llama_vocab_n_tokens(self._vocabulary)
        self._template = llama.llama_model_chat_template(model, None)
        self._batch = llama.llama_batch_init(MAX_BATCH, 0, 1)
        self.end = int(llama.llama_vocab_eot(self._vocabulary))

    def tokens(self, messages: Iterable[Sequence[str]], *, answer: bool, ended: bool = True) -> list[int]:
        """A conversation of (role, text) as tokens, by the model's own chat template; `answer` opens the reply.

        Without `ended`, the last message is left open: nothing follows its words, not even their punctuation, of which
        a recogniser knows nothing while more may be said.
        """
        pairs = [(role.encode(), text.replace("\0", " ").encode()) for role, text in messages]
        begun = answer and pairs[-1][0] == b"assistant"  # it goes on with its own last message
        answer = answer and not begun
        chat = (llama.llama_chat_message * len(pairs))(*(llama.llama_chat_message(*pair) for pair in pairs))
        size = 1024 + 2 * sum(len(role) + len(text) + 64 for role, text in pairs)
        text = ctypes.create_string_buffer(size)
        length = llama.llama_chat_apply_template(self._template, chat, len(pairs), answer, text, size)
        if not 0 <= length <= size:
            raise ValueError("the model's chat template is not one that llama.cpp knows")
        if begun:
            last = pairs[-1][1].strip()
            length = text.raw[:length].rindex(last) + len(last)
        elif not ended:
            last = pairs[-1][1].strip()
            length = text.raw[:length].rindex(last) + len(last.decode().rstrip(" .,!?…-").encode())
        tokens = (llama.llama_token * (length + 16))()
        count = llama.llama_tokenize(self._vocabulary, text.raw[:length], length, tokens, len(tokens), False, True)
        return list(tokens[:count])

    def decode_all(self, tokens: Sequence[int], sequence: int) -> None:
        """Put a whole prompt into an empty sequence."""
        for start in range(0, len(tokens), MAX_BATCH):
            piece = tokens[start : start + MAX_BATCH]
            self.decode([(token, start + i, sequence, False) for i, token in enumerate(piece)])

    def decode(self, items: Sequence[tuple[int, int, int, bool]]) -> None:
        """One batch of (token, position, sequence, wants logits). Raises RuntimeError where llama.cpp fails."""
        batch = self._batch
        batch.n_tokens = len(items)
        for i, (token, position, sequence, logits) in enumerate(items):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, logits
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
        if (code := llama.llama_decode(self._context, batch)) != 0:
            raise RuntimeError(f"llama_decode returned {code} for a batch of {len(items)}")

    def use_threads(self, count: int) -> None:
        llama.llama_set_n_threads(self._context, count, count)

    def sample(self, threads: int) -> Callable[[], None]:
        """Some work as a turn needs it, for so many threads: a short prompt, then a clause. Leaves nothing behind."""
        self.use_threads(threads)

        def work() -> None:
            self.decode([(i, i, PREFIX, i == SAMPLE_PROMPT - 1) for i in range(SAMPLE_PROMPT)])
            for i in range(SAMPLE_PROMPT, SAMPLE_PROMPT + SAMPLE_CLAUSE):
                self.decode([(i, i, PREFIX, True)])
            self.trim(PREFIX, 0)

        return work

    def likeliest(self, index: int) -> int:
        """The likeliest token after the batch's item `index`."""
        logits = llama.llama_get_logits_ith(self._context, index)
        return int(np.ctypeslib.as_array(logits, (self._size,)).argmax())

    def ends_here(self, index: int) -> float:
        """The probability that what was said up to the batch's item `index` is whole: that a mark ends it now."""
        logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, index), (self._size,))
        likeliest = np.argpartition(logits, -MANY)[-MANY:]
        top = logits.max()
        total = float(np.exp(logits - top).sum())
        return sum(float(np.exp(logits[i] - top)) for i in likeliest if self._is_end(int(i))) / total

    def _is_end(self, token: int) -> bool:
        piece = self.piece(token).decode(errors="replace")
        return self.ends(token) or piece.lstrip(" ").startswith(END_MARKS)

    def ends(self, token: int) -> bool:
        """Does this token end a message?"""
        return bool(llama.llama_vocab_is_eog(self._vocabulary, token))

    def piece(self, token: int) -> bytes:
        """The token's bytes; a character may be spread over several tokens."""
        buffer = ctypes.create_string_buffer(MAX_PIECE)
        length = llama.llama_token_to_piece(self._vocabulary, token, buffer, MAX_PIECE, 0, False)
        return buffer.raw[: max(0, length)]

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Let an empty sequence share the first `tokens` of another."""
        llama.llama_memory_seq_cp(self._memory, source, target, 0, tokens)

    def state(self, sequence: int) -> bytes:
        """A sequence's cache."""
        size = llama.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = llama.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return bytes(buffer[:written])

    def restore(self, sequence: int, state: bytes) -> bool:
        """Fill an empty sequence with what `state` gave; False where that is of no use."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        if llama.llama_state_seq_set_data(self._context, buffer, len(state), sequence):
            return True
        self.trim(sequence, 0)
        return False

    def move_up(self, sequence: int, start: int, to: int) -> None:
        """Forget a sequence's tokens from `to` to `start`, and let those that follow take their positions."""
        llama.llama_memory_seq_rm(self._memory, sequence, to, start)
        llama.llama_memory_seq_add(self._memory, sequence, start, -1, to - start)

    def trim(self, sequence: int, tokens: int) -> None:
        """Forget all of a sequence after its first `tokens`."""
        llama.llama_memory_seq_rm(self._memory, sequence, tokens, -1)


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return i
    return min(len(left), len(right))


def _dropped(cached: Sequence[int], tokens: Sequence[int], shared: int) -> int:
    """How many of the cached tokens after the shared ones were dropped, if what follows them goes on in `tokens`."""
    first = tokens[shared : shared + MATCH]
    if len(first) < MATCH:
        return 0
    for start in range(shared + 1, len(cached) - MATCH + 1):
        if cached[start] == first[0] and cached[start : start + MATCH] == first:
            return start - shared
    return 0


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, user_data: object) -> None:
    """llama.cpp prints pages of model facts; what matters comes back as errors."""
