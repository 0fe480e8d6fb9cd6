"""A private PulseAudio: a loudspeaker and a microphone that are not there, and can be pulled out.

    a program ──▶ `spk` ──▶ SPEAKER_AIR (monitored by the room)      the room ──▶ MIC_AIR ──▶ `mic` ──▶ a program

`spk` and `mic` are remapped from null sinks that stay, so that pulling out a device leaves the room's streams alone.
What is in the air is 48 kHz mono, whatever rate and channels the devices have.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from appliance.terms.errors import DeviceError
from appliance.terms.units import Pcm

RATE = 48_000
SPEAKER_AIR, MIC_AIR = "spk_air", "mic_air"
UP_WITHIN_S, DOWN_WITHIN_S, POLL_S = 10.0, 5.0, 0.02
BYTES = 2
MS = RATE * BYTES // 1000
"""Bytes of a millisecond."""

PULSE_HOMES = ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_CONFIG_PATH")

Device = Literal["mic", "spk"]

DAEMON = """
rescue-streams = no
enable-shm = no
flat-volumes = no
realtime-scheduling = no
high-priority = yes
nice-level = -5
"""
"""A stream whose device goes away is killed, not moved: the ALSA plugin tells its program of an error at once then."""

SCRIPT = """
load-module module-null-sink sink_name={speaker} rate=48000 channels=1 format=s16le norewinds=1
load-module module-null-sink sink_name={mic} rate=48000 channels=1 format=s16le norewinds=1
set-default-sink {speaker}
set-default-source {mic}.monitor
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
"""
"""The defaults are not `spk` and `mic`: when a default is pulled out, PulseAudio moves its streams to the next one,
whatever `rescue-streams` says (seen with 16.1), and programs notice nothing. With rewinds, every stream that comes or
goes makes a null sink render some of its sound again: clicks got lost or came twice."""

ALSA = """
pcm.kiosk_spk {{ type pulse server "{server}" device "spk" hint.description "kiosk_spk" }}
pcm.kiosk_mic {{ type pulse server "{server}" device "mic" hint.description "kiosk_mic" }}
pcm.default {{ type asym playback.pcm "kiosk_spk" capture.pcm "kiosk_mic" hint.description "default" }}
ctl.default {{ type pulse server "{server}" }}
"""
"""Nothing of the system's own configuration: no program under test finds this machine's real devices."""


class Pulse:
    """A running server; made by `pulse`."""

    def __init__(self, folder: Path, *, rate: int, channels: int) -> None:
        self.folder = folder
        self.pid = 0
        self.server = f"unix:{folder / 'socket'}"
        spec = f"rate={rate} channels={channels}"
        self._devices: dict[Device, str] = {
            "spk": f"module-remap-sink sink_name=spk master={SPEAKER_AIR} {spec}",
            "mic": f"module-remap-source source_name=mic master={MIC_AIR}.monitor {spec}",
        }
        self._plugged: dict[Device, str] = {}
        """The module of each."""

    @property
    def environ(self) -> dict[str, str]:
        """What a program under test needs besides its own environment."""
        return {
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
            "PULSE_SERVER": self.server,
            "PULSE_COOKIE": str(self.folder / "cookie"),
        }

    async def plug(self, device: Device) -> None:
        """Does nothing where it is plugged in."""
        if device not in self._plugged:
            self._plugged[device] = await self._control("load-module", *self._devices[device].split())

    async def unplug(self, device: Device) -> None:
        """Pull it out as a USB device: a PortAudio stream on it ends in 10 ms (its `finished_callback` is called, it is
        no longer active), and none can be opened until it is plugged in."""
        if device in self._plugged:
            await self._control("unload-module", self._plugged.pop(device))

    async def volume(self, db: float) -> None:
        """What the loudspeaker's volume does to what is played; 0 is unchanged."""
        await self._control("set-sink-volume", "spk", f"{10 ** (db / 20):.6f}")

    async def mute(self, muted: bool) -> None:
        await self._control("set-sink-mute", "spk", str(int(muted)))

    async def suspend(self, suspended: bool) -> None:
        """Stop the air's clocks, or start them anew.

        A null sink that nobody asked for a low latency renders 2 s ahead, and who asks then gets nothing for so long.
        """
        for air in (SPEAKER_AIR, MIC_AIR):
            await self._control("suspend-sink", air, str(int(suspended)))

    async def _control(self, *command: str) -> str:
        program = _program("pactl", "pulseaudio-utils")
        process = await asyncio.create_subprocess_exec(
            *(program, "-s", self.server, *command),
            env=_environ(self.folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, why = await process.communicate()
        if process.returncode != 0:
            raise DeviceError(f"pactl {' '.join(command)}: {why.decode().strip()}")
        return output.decode().strip()


@asynccontextmanager
async def pulse(*, rate: int = RATE, channels: int = 1) -> AsyncIterator[Pulse]:
    """A server with both devices, of this rate and so many channels; gone afterwards, with its folder.

    Raises DeviceError where PulseAudio is missing or does not start.
    """
    program = _program("pulseaudio", "pulseaudio")
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-pulse-"))
    process = None
    try:
        made = Pulse(folder, rate=rate, channels=channels)
        _configure(made)
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(program, "-n", "-F", str(folder / "default.pa"), "--daemonize=no", "--use-pid-file=no"),
                *("--exit-idle-time=-1", "--log-target=stderr", "--log-level=warn"),
                env=_environ(folder),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        made.pid = process.pid
        await _up(folder, process)
        await made.plug("spk")
        await made.plug("mic")
        yield made
    finally:
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), DOWN_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DeviceError(f"{name} is missing", mend=f"Install Debian's {package}.")
    return found


def _configure(made: Pulse) -> None:
    socket = made.folder / "socket"
    (made.folder / "daemon.conf").write_text(DAEMON)
    (made.folder / "default.pa").write_text(SCRIPT.format(speaker=SPEAKER_AIR, mic=MIC_AIR, socket=socket))
    (made.folder / "asound.conf").write_text(ALSA.format(server=made.server))


def _environ(folder: Path) -> dict[str, str]:
    """Nothing of the user's: neither their PulseAudio nor their D-Bus."""
    homes = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", *PULSE_HOMES)
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **dict.fromkeys(homes, str(folder))}


async def _up(folder: Path, process: asyncio.subprocess.Process) -> None:
    for _ in range(int(UP_WITHIN_S / POLL_S)):
        with suppress(OSError):
            _, writer = await asyncio.open_unix_connection(folder / "socket")
            writer.close()
            return
        if process.returncode is not None:
            break
        await asyncio.sleep(POLL_S)
    raise DeviceError(f"PulseAudio does not start: {(folder / 'log').read_text(errors='replace').strip()[-500:]}")


class _Spec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _Buffer(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


PLAYBACK, RECORD, S16LE = 1, 2, 3
UNSET = 0xFFFFFFFF


class _Stream:
    """A blocking stream of libpulse-simple: 48 kHz mono, int16. Raises DeviceError."""

    def __init__(self, server: str, device: str, direction: int, buffer: _Buffer) -> None:
        try:
            self._library: Any = ctypes.CDLL("libpulse-simple.so.0")
        except OSError as error:
            raise DeviceError("libpulse-simple is missing", mend="Install Debian's libpulse0.") from error
        self._library.pa_simple_new.restype = ctypes.c_void_p
        self._library.pa_simple_get_latency.restype = ctypes.c_uint64
        self._library.pa_strerror.restype = ctypes.c_char_p
        self._error = ctypes.c_int()
        spec, name = _Spec(S16LE, RATE, 1), b"room"
        self._stream = ctypes.c_void_p(
            self._library.pa_simple_new(
                *(server.encode(), name, direction, device.encode(), name, ctypes.byref(spec), None),
                *(ctypes.byref(buffer), ctypes.byref(self._error)),
            )
        )
        self._check(-1 if not self._stream else 0, device)

    def close(self) -> None:
        self._library.pa_simple_free(self._stream)

    def _check(self, result: int, what: str) -> None:
        if result < 0:
            raise DeviceError(f"PulseAudio, {what}: {self._library.pa_strerror(self._error).decode()}")


class Capture(_Stream):
    """From a source, in pieces of `piece_ms`."""

    def __init__(self, server: str, source: str, *, piece_ms: int) -> None:
        buffer = _Buffer(UNSET, UNSET, UNSET, UNSET, piece_ms * MS)
        super().__init__(server, source, RECORD, buffer)

    def read(self, samples: int) -> Pcm:
        """The next (samples,) int16; waits for them."""
        pcm = np.empty(samples, np.int16)
        data, size = pcm.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(pcm.nbytes)
        self._check(self._library.pa_simple_read(self._stream, data, size, ctypes.byref(self._error)), "read")
        return pcm


class Playback(_Stream):
    """To a sink, which renders pieces of `piece_ms`; holds up to `depth_ms`, then `write` waits.

    It plays from the start (`prebuf` is 0): what is written too late is lost, and what follows keeps its time. So
    `fill` it first, or everything is too late.
    """

    def __init__(self, server: str, sink: str, *, depth_ms: int, piece_ms: int) -> None:
        # The server asks a sink for a latency of (tlength − 2 minreq) / 2 and takes it off the depth.
        whole = depth_ms + piece_ms
        buffer = _Buffer(UNSET, whole * MS, 0, (whole - 2 * piece_ms) * MS // 2, UNSET)
        super().__init__(server, sink, PLAYBACK, buffer)

    def write(self, pcm: Pcm) -> None:
        """(n,) int16."""
        pcm = np.ascontiguousarray(pcm)
        data, size = pcm.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(pcm.nbytes)
        self._check(self._library.pa_simple_write(self._stream, data, size, ctypes.byref(self._error)), "write")

    def fill(self, seconds: float) -> float:
        """Silence until so much is queued; returns how much that became."""
        while (queued_s := self.queued_s) < seconds:
            self.write(np.zeros(RATE // 1000, np.int16))
        return queued_s

    @property
    def queued_s(self) -> float:
        """How long until what was written last has been played."""
        return int(self._library.pa_simple_get_latency(self._stream, ctypes.byref(self._error))) / 1e6
