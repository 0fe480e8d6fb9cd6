"""The seam with baresip: what its Python binding leaves out, called in the C library itself.

baresip-python can only refuse a call with 486; libre and baresip are linked into the same file with their symbols, so
`refuse` answers with any status and header. Each call holds the SIP thread's lock (`re_thread_enter`). The contract is
tested (tests/doors/sip/test_native.py): an upgrade that moves what is used here fails loudly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from baresip import _native

SYMBOLS = (
    "bp_call_handle_find",
    "call_get_ua",
    "call_msg_src",
    "dbg_init",
    "re_thread_enter",
    "re_thread_leave",
    "sa_ntop",
    "ua_hangupf",
    "uag_call_find",
)
NO_WARNINGS = 0
TEXT_BYTES = 64
SOCKADDR_BYTES = 256
"""More than libre's `struct sa` is."""


class Native:
    """Raises AttributeError naming a function that this baresip does not have."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_native.__file__)
        for symbol in SYMBOLS:
            getattr(library, symbol)
        self._find = library.uag_call_find
        self._find.restype, self._find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        self._number = library.bp_call_handle_find
        self._number.restype, self._number.argtypes = ctypes.c_uint32, [ctypes.c_void_p]
        self._agent = library.call_get_ua
        self._agent.restype, self._agent.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        self._hang_up = library.ua_hangupf
        self._hang_up.restype = None
        self._hang_up.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint16, ctypes.c_char_p, ctypes.c_char_p]
        self._source = library.call_msg_src
        self._source.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._print = library.sa_ntop
        self._print.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        self._library = library

    def be_quiet(self) -> None:
        """No warnings of libre's own on stderr: a stranger who sends rubbish could fill the journal with them."""
        self._library.dbg_init(NO_WARNINGS, 0)

    def source(self, handle: int, call_id: str) -> str:
        """From which address the INVITE of a call came; empty where that is not known."""
        with self._entered():
            call = self._call(handle, call_id)
            address = ctypes.create_string_buffer(SOCKADDR_BYTES)
            text = ctypes.create_string_buffer(TEXT_BYTES)
            if call is None or self._source(call, address) or self._print(address, text, TEXT_BYTES):
                return ""
            return text.value.decode()

    def refuse(self, handle: int, call_id: str, status: int, reason: str, headers: Mapping[str, str]) -> bool:
        """End a call that is not answered yet; False where it cannot be found.

        Raises ValueError where a header has more than one line.
        """
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if any(not line.isprintable() for line in lines):
            raise ValueError("a header has one line")
        text = "".join(f"{line}\r\n" for line in [*lines, "Content-Length: 0"]) + "\r\n"
        with self._entered():
            call = self._call(handle, call_id)
            if call is None:
                return False
            self._hang_up(self._agent(call), call, status, reason.encode(), text.replace("%", "%%").encode())
            return True

    def _call(self, handle: int, call_id: str) -> int | None:
        """The call with this number. By its Call-ID alone a stranger could mean another's."""
        call: int | None = self._find(call_id.encode("utf-8", "replace"))
        return call if call is not None and self._number(call) == handle else None

    @contextmanager
    def _entered(self) -> Iterator[None]:
        self._library.re_thread_enter()
        try:
            yield
        finally:
            self._library.re_thread_leave()
