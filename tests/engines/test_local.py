"""The engines with their real models, as a worker runs them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from appliance.bench.business import sound_of
from appliance.bench.utterances import Utterance
from appliance.bench.words import normalise, word_errors
from appliance.dsp import soundfile
from appliance.dsp.loudness import CEILING_DBTP, TARGET_LUFS, loudness, true_peak
from appliance.dsp.resample import Resampler
from appliance.engines.local.llama import Llama
from appliance.engines.local.piper import Piper, speakable
from appliance.engines.local.requantise import requantised
from appliance.engines.local.sense import Sense
from appliance.engines.local.smartturn import SmartTurn
from appliance.engines.local.whisper import WINDOW_S, Whisper, windows
from appliance.knowledge.lexicon import lexicon
from appliance.terms.meaning import Meaning
from appliance.terms.units import CAPTURE_RATE, dbfs
from appliance.workers.mailbox import Mailbox, Request
from appliance.workers.wire import Decoder, Kind, Message, encode

pytestmark = pytest.mark.model

FACTS = "You are a receptionist. The wifi password is blue seagull 42. The manager is Maria Lopez."


@pytest.fixture(scope="module")
def whisper(models: Path) -> Whisper:
    return Whisper(str(models / "whisper-tiny.en"))


@pytest.fixture(scope="module")
def piper(models: Path) -> Piper:
    return Piper(str(models / "en_US-joe-medium" / "en_US-joe-medium.onnx"))


def test_words_of_the_business_are_heard_beside_what_is_heard_without_them(whisper: Whisper) -> None:
    dentist = Path(__file__).parents[2] / "benchmarks" / "businesses" / "dental-practice"
    known = lexicon((dentist / "knowledge.md").read_text("utf-8"))
    asked = "What is the name of the hygienist?"
    pcm = soundfile.read(sound_of(dentist, asked))
    heard = whisper.transcribe(pcm, terms=known.terms)
    assert heard.text != asked
    assert known.mend(heard.text, heard.again) == asked
    assert whisper.transcribe(pcm).again == ""


def test_whisper_hears_what_was_said(whisper: Whisper, utterances: dict[str, Utterance]) -> None:
    errors = words = 0
    for utterance in list(utterances.values())[:8]:
        wrong, total = word_errors(utterance.text, whisper.transcribe(soundfile.read(utterance.file)).text)
        errors, words = errors + wrong, words + total
    assert errors / words < 0.1


@pytest.mark.parametrize("level", [0, 3, 300])
def test_whisper_hears_no_words_in_silence_and_noise(whisper: Whisper, level: int) -> None:
    noise = (np.random.default_rng(1).standard_normal(2 * CAPTURE_RATE) * level).astype(np.int16)
    assert whisper.transcribe(noise).text == ""


def test_whisper_hears_more_than_thirty_seconds(whisper: Whisper, utterances: dict[str, Utterance]) -> None:
    said = [utterances[name] for name in ("open", "bus", "manager", "parcel", "price", "address")] * 4
    silence = np.zeros(CAPTURE_RATE // 2, np.int16)
    pcm = np.concatenate([piece for u in said for piece in (soundfile.read(u.file), silence)])
    assert len(pcm) > 35 * CAPTURE_RATE
    wrong, total = word_errors(" ".join(u.text for u in said), whisper.transcribe(pcm).text)
    assert wrong / total < 0.25


def test_what_the_model_or_the_machine_cannot_do_is_refused(models: Path) -> None:
    model = str(models / "whisper-tiny.en")
    with pytest.raises(ValueError, match="knows English only"):
        Whisper(model, language="de")
    with pytest.raises(ValueError, match="knows English only"):
        Whisper(model, language="auto")
    if not ctranslate2.get_cuda_device_count():
        with pytest.raises(ValueError, match=r"stt\.device = cuda"):
            Whisper(model, device="cuda")
    with pytest.raises(ValueError, match=r"llm\.gpu_layers"):
        Llama(str(next((models / "qwen2.5-0.5b").glob("*.gguf"))), FACTS, calls=1, gpu_layers=10)


def test_windows_are_cut_in_silence() -> None:
    pcm = np.full(40 * CAPTURE_RATE, 5000, np.int16)
    pcm[25 * CAPTURE_RATE : 25 * CAPTURE_RATE + 3200] = 0
    first, second = windows(pcm)
    assert len(first) + len(second) == len(pcm)
    assert len(first) <= WINDOW_S * CAPTURE_RATE
    assert dbfs(first[-100:]) == -np.inf
    assert list(windows(pcm[:0])) == []


def test_smart_turn_tells_a_finished_question_from_an_unfinished_one(
    models: Path, utterances: dict[str, Utterance]
) -> None:
    detector = SmartTurn(str(models / "smart-turn-v3.2" / "smart-turn-v3.2-cpu.onnx"))
    whole = soundfile.read(utterances["parking"].file)
    assert detector.end_probability(whole) > 0.5
    assert detector.end_probability(whole[: len(whole) * 2 // 5]) < 0.5


@pytest.fixture(scope="module")
def sense(models: Path) -> Sense:
    meaning = models / "all-minilm-l6-v2"
    turn = models / "smart-turn-v3.2" / "smart-turn-v3.2-cpu.onnx"
    return Sense(str(turn), str(meaning / "model.onnx"), str(meaning / "tokenizer.json"))


def read(sense: Sense, *texts: str) -> list[Meaning]:
    request = Request(id=1, op="read", deadline=0.0, arguments={"texts": list(texts)}, data=b"")
    found = []
    for meta, data in sense._handle(request):
        vectors = np.frombuffer(data, np.float32).reshape(1 + len(meta["words"]), -1)
        found.append(Meaning(whole=vectors[0], words=tuple(meta["words"]), each=vectors[1:]))
    return found


def test_what_means_the_same_is_near_as_a_whole_and_word_by_word(sense: Sense) -> None:
    asked, dogs, parking = read(sense, "Can I bring my puppy?", "Dogs are welcome.", "Parking is free.")
    assert asked.whole @ dogs.whole > asked.whole @ parking.whole + 0.1
    puppy = asked.each[asked.words.index("puppy")]
    assert puppy @ dogs.each[dogs.words.index("dogs")] > (puppy @ parking.each.T).max() + 0.1
    assert np.linalg.norm(asked.whole) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("text", ["", "…", "word " * 1000, "\0", "日本語"])
def test_whatever_a_caller_says_can_be_read(sense: Sense, text: str) -> None:
    (found,) = read(sense, text)
    assert np.isfinite(found.whole).all()
    assert len(found.words) == len(found.each) <= 128


def test_an_unknown_wish_of_the_sense_worker_is_an_error(sense: Sense) -> None:
    with pytest.raises(ValueError, match="unknown operation 'smell'"):
        list(sense._handle(Request(id=1, op="smell", deadline=0.0, arguments={}, data=b"")))


def test_piper_speaks_a_clause(piper: Piper) -> None:
    pcm = np.concatenate([chunk.audio_int16_array for chunk in piper._voice.synthesize("We are open.")])
    assert piper.facts["rate"] == 22_050
    assert 0.4 < len(pcm) / 22_050 < 2.0
    assert dbfs(pcm) > -35


def test_every_sentence_of_piper_is_as_loud_as_the_others_and_clips_nowhere(piper: Piper) -> None:
    texts = ("Of course.", "Yes, parking is free.", "The toilets are along the corridor on the left, next to the lift.")
    found = []
    for text in texts:
        request = Request(id=1, op="synthesise", deadline=0.0, arguments={"text": text}, data=b"")
        pcm = np.concatenate([np.frombuffer(data, np.int16) for _, data in piper._handle(request)])
        found.append(loudness(pcm, piper.facts["rate"]))
        assert found[-1] == pytest.approx(TARGET_LUFS, abs=3.0)  # piper says no two alike
        assert true_peak(pcm) <= CEILING_DBTP + 0.1
    assert np.mean(found) == pytest.approx(TARGET_LUFS, abs=1.5)


def test_piper_tells_when_each_word_has_been_said(piper: Piper, whisper: Whisper) -> None:
    text = "Parking behind the building is free. Ask Maria at the desk."
    parts = list(piper._handle(Request(id=1, op="synthesise", deadline=0.0, arguments={"text": text}, data=b"")))
    assert [[word for word, _ in meta["words"]] for meta, _ in parts] == [text.split()[:6], text.split()[6:]]
    for meta, data in parts:
        marks = [end for _, end in meta["words"]]
        assert marks == sorted(marks)
        assert len(data) // 2 * 0.9 < marks[-1] <= len(data) // 2
    resampler = Resampler(piper.facts["rate"], CAPTURE_RATE)
    cut = np.frombuffer(parts[0][1], "<i2")[: parts[0][0]["words"][3][1]]
    heard = whisper.transcribe(resampler.feed(cut)).text
    assert word_errors("parking behind the building", heard)[0] <= 2, heard  # no two renderings sound alike
    assert "free" not in normalise(heard)


@pytest.mark.parametrize(
    "text", ["a\0b", "🙂", "", "   ", "[[h@loU]]", "<b>Hi</b> & *you*", "x" * 10_000, "你好", "\ud800"]
)
def test_no_text_breaks_the_synthesiser(piper: Piper, text: str) -> None:
    request = Request(id=1, op="synthesise", deadline=0.0, arguments={"text": speakable(text)[:300]}, data=b"")
    for _, data in piper._handle(request):
        assert len(data) % 2 == 0


class Desk:
    """The language model behind a real mailbox, in a thread; requests as the parent would send them."""

    def __init__(self, llama: Llama) -> None:
        self._ours, theirs = socket.socketpair()
        self._decoder = Decoder()
        self._messages: list[Message] = []
        mailbox = Mailbox(theirs)
        mailbox.start()
        self._thread = threading.Thread(target=self._serve, args=(llama, mailbox))
        self._thread.start()

    @staticmethod
    def _serve(llama: Llama, mailbox: Mailbox) -> None:
        with pytest.raises(EOFError):
            llama.serve(mailbox)

    def send(self, request: int, call: str, words: str, tokens: int = 24) -> None:
        self.ask(request, call, [["system", FACTS], ["user", words]], tokens)

    def ask(
        self,
        request: int,
        call: str,
        messages: list[list[str]],
        tokens: int = 24,
        op: str = "generate",
        *,
        ended: bool = True,
    ) -> None:
        meta = {"op": op, "ended": ended, "deadline": 1e12, "call": call, "max_tokens": tokens, "messages": messages}
        self._ours.sendall(encode(Message(kind=Kind.REQUEST, request=request, meta=meta)))

    def cancel(self, request: int) -> None:
        self._ours.sendall(encode(Message(kind=Kind.CANCEL, request=request)))

    def next(self, *, take: bool = True) -> Message:
        while not self._messages:
            self._messages += self._decoder.feed(self._ours.recv(1 << 16))
        message = self._messages.pop(0)
        if take and message.kind is Kind.PART:
            self.take(message.request)
        return message

    def take(self, request: int) -> None:
        self._ours.sendall(encode(Message(kind=Kind.TAKEN, request=request)))

    def answers(self, *requests: int) -> dict[int, str]:
        """Their texts, once all are done."""
        texts, left = dict.fromkeys(requests, ""), set(requests)
        while left:
            message = self.next()
            assert message.kind in (Kind.PART, Kind.DONE), message
            texts[message.request] += message.meta.get("text", "")
            if message.kind is Kind.DONE:
                left.discard(message.request)
        return texts

    def close(self) -> None:
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._ours.close()


@pytest.fixture(scope="module")
def llama(models: Path) -> Llama:
    folder = models / "qwen2.5-0.5b"
    return Llama(str(next(folder.glob("*.gguf"))), FACTS, calls=2, context=2048)


@pytest.fixture
def desk(llama: Llama) -> Iterator[Desk]:
    desk = Desk(llama)
    yield desk
    desk.close()


def test_llama_keeps_its_decoded_instructions_for_the_next_start(models: Path, tmp_path: Path) -> None:
    model, keep = str(next((models / "qwen2.5-0.5b").glob("*.gguf"))), str(tmp_path)

    def start(facts: str = FACTS) -> bool:
        llama = Llama(model, facts, calls=1, context=1024, keep=keep)
        desk = Desk(llama)
        try:
            desk.send(1, "a", "What is the wifi password?")
            assert "seagull" in desk.answers(1)[1]
        finally:
            desk.close()
        return bool(llama.facts["prefix_loaded"])

    assert [start(), start()] == [False, True]
    assert not start(FACTS + " The house is old.")
    (kept,) = (tmp_path / "prompts").iterdir()  # the older one gave way
    kept.write_bytes(kept.read_bytes()[:1000])
    assert not start(FACTS + " The house is old.")
    assert start(FACTS + " The house is old.")
    full = Path("/dev/full")
    assert not Llama(model, FACTS, calls=1, context=1024, keep=str(full)).facts["prefix_loaded"]


def test_llama_makes_its_weights_faster_once_and_does_without_when_it_cannot(models: Path, tmp_path: Path) -> None:
    model = next((models / "qwen2.5-0.5b").glob("*.gguf"))

    def start() -> Path | None:
        llama = Llama(str(model), FACTS, calls=1, context=1024, keep=str(tmp_path), requantise="auto")
        desk = Desk(llama)
        try:
            desk.send(1, "a", "What is the wifi password?")
            assert "seagull" in desk.answers(1)[1]
        finally:
            desk.close()
        assert llama.facts["requantise"] == ("auto" if list((tmp_path / "weights").iterdir()) else "off")
        return next((tmp_path / "weights").iterdir(), None)

    made = start()
    assert made is not None
    assert made.stat().st_size < 0.8 * model.stat().st_size
    when = made.stat().st_mtime_ns
    assert start() == made
    assert made.stat().st_mtime_ns == when, "made once"
    made.write_bytes(made.read_bytes()[:100_000])  # the power went
    assert start() is None
    assert start() == made
    assert requantised(model, Path("/dev/full")) is None
    assert requantised(models / "whisper-tiny.en" / "model.bin", tmp_path / "none") is None


def test_llama_answers_from_its_facts(desk: Desk) -> None:
    desk.send(1, "a", "What is the wifi password?")
    assert "blue seagull 42" in desk.answers(1)[1]


def test_llama_goes_on_with_its_own_words(desk: Desk) -> None:
    talk = [["system", FACTS], ["user", "Who is the manager, and what is the wifi password?"]]
    desk.ask(1, "a", talk)
    whole = desk.answers(1)[1].strip()
    words = whole.split()
    for number, share in enumerate((0.3, 0.6), 2):
        said = " ".join(words[: round(share * len(words))])
        desk.ask(number, "a", [*talk, ["assistant", said]])
        rest = desk.answers(number)[number].strip()
        assert f"{said} {rest}".split()[-3:] == words[-3:], rest
        assert not rest.startswith(words[0])


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ("What is the wifi password", True),
        ("Which bus stops here", True),
        ("I would like to know what", False),
        ("Where can I", False),
    ],
)
def test_llama_knows_whether_a_caller_has_finished(desk: Desk, llama: Llama, words: str, whole: bool) -> None:
    desk.ask(1, "a", [["system", FACTS], ["user", words]], op="prefill", ended=False)
    desk.answers(1)
    desk.ask(2, "a", [["system", FACTS], ["user", f"{words}?"]])
    first = desk.next()
    assert first.kind is Kind.PART
    assert (first.meta["ends"] > 0.1) is whole
    assert (first.meta["ends"] < 0.03) is not whole
    assert llama.reused > len(llama._prefix) + 2, "what was read ahead is not read again"
    assert "ends" not in desk.next().meta
    desk.cancel(2)
    while desk.next().kind is not Kind.ERROR:
        pass


def test_llama_serves_two_calls_in_one_batch_as_well_as_alone(desk: Desk) -> None:
    desk.send(1, "a", "What is the wifi password?")
    desk.send(2, "b", "Who is the manager?")
    together = desk.answers(1, 2)
    assert "blue seagull 42" in together[1]
    assert "Maria" in together[2]


def test_llama_stops_within_a_token_of_being_cancelled(desk: Desk) -> None:
    desk.send(1, "a", "Tell me a very long story about the sea.", tokens=200)
    assert desk.next().kind is Kind.PART
    desk.cancel(1)
    parts = 0
    while desk.next().kind is Kind.PART:
        parts += 1
    assert parts < 20


def test_llama_makes_no_token_before_the_last_one_was_taken(desk: Desk) -> None:
    desk.send(1, "a", "What is the wifi password?")
    first = desk.next(take=False)
    desk.send(2, "b", "Who is the manager?")
    assert "Maria" in desk.answers(2)[2]  # which fails on any message of request 1
    desk.take(1)
    assert "blue seagull 42" in first.meta["text"] + desk.answers(1)[1]


def test_a_newer_request_of_a_call_takes_the_older_ones_place(desk: Desk) -> None:
    desk.send(1, "a", "Tell me a very long story about the sea.", tokens=200)
    assert desk.next().kind is Kind.PART
    desk.send(2, "a", "Who is the manager?")
    messages = [desk.next()]
    while not (messages[-1].request == 2 and messages[-1].kind is Kind.DONE):
        messages.append(desk.next())
    assert [m.kind for m in messages if m.request == 1 and m.kind is not Kind.PART] == [Kind.ERROR]
    assert "Maria" in "".join(m.meta.get("text", "") for m in messages if m.request == 2)


def test_a_conversation_that_does_not_fit_is_refused(desk: Desk) -> None:
    desk.send(1, "a", "word " * 3000)
    message = desk.next()
    assert message.kind is Kind.ERROR
    assert message.meta["full"]


def test_a_history_that_lost_its_oldest_turns_is_not_read_again(llama: Llama, desk: Desk) -> None:
    turns: list[list[str]] = []
    for i in range(6):
        turns += [["user", f"Please note that my favourite number is {i} and nothing else."], ["assistant", "Noted."]]
    turns += [["user", "The code of my room is 4711, and I have a small brown dog."], ["assistant", "Thank you."]]
    system, question = ["system", FACTS], ["user", "What is the code of my room?"]
    desk.ask(1, "a", [system, *turns, ["user", "Who is the manager?"]])
    assert "Maria" in desk.answers(1)[1]
    kept = [system, *turns[8:], question]
    desk.ask(2, "a", kept)
    assert "4711" in desk.answers(2)[2]
    assert len(llama._model.tokens(kept, answer=True)) - llama.reused < 40  # the question, and no more


def test_calls_beyond_the_sequences_take_the_one_unused_for_longest(desk: Desk) -> None:
    for request, call in enumerate("abcd", 1):
        desk.send(request, call, "Who is the manager?")
        assert "Maria" in desk.answers(request)[request]
