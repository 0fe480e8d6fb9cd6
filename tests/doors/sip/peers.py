"""Real SIP peers from Debian, each a process of its own on loopback: kamailio as a PBX, baresip as a telephone."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "s3cret"
DOMAIN = "127.0.0.1"
READY_WITHIN_S = 15.0

KAMAILIO = """#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
disable_sctp=yes
enable_tls=yes
pv_buffer_size=8192
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
listen=tls:127.0.0.1:{tls_port}
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
modparam("tls", "private_key", "{folder}/key.pem")
modparam("tls", "certificate", "{folder}/cert.pem")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 1)
modparam("rr", "enable_full_lr", 1)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
request_route {{
  force_rport();
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    t_relay(); exit;
  }}
  if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("pbx", "{password}", "0")) {{ www_challenge("pbx", "1"); exit; }}
    fix_nated_register();
    save("location"); exit;
  }}
  if (!pv_proxy_authenticate("pbx", "{password}", "0")) {{ proxy_challenge("pbx", "1"); exit; }}
  consume_credentials();
  record_route();
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}
"""

BARESIP = """poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
sip_cafile {cafile}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,nil
audio_source aufile,{tone}
audio_alert nil,nil
opus_stereo no
opus_sprop_stereo no
rtp_ports {rtp}-{rtp_end}
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module aufile.so
module aubridge.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""


def certificate(folder: Path) -> Path:
    """A self-signed one for 127.0.0.1 with its key, `cert.pem` and `key.pem`; the first one's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem"


@contextlib.asynccontextmanager
async def kamailio(folder: Path, port: int) -> AsyncIterator[None]:
    """A registrar and proxy: UDP and TCP at `port`, TLS at the next one; everybody's password is `PASSWORD`."""
    settings = KAMAILIO.format(port=port, tls_port=port + 1, folder=folder, password=PASSWORD)
    (folder / "kamailio.cfg").write_text(settings)
    command = ("kamailio", "-f", str(folder / "kamailio.cfg"), "-DD", "-E", "-m", "32", "-M", "8", "-Y", str(folder))
    async with _process(*command):
        await _reachable(port + 1)
        yield


class Baresip:
    """Debian's baresip, told what to do over its control connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uri: str) -> None:
        self.uri = uri
        self.events: list[dict[str, object]] = []
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader))

    def tell(self, command: str, parameters: str = "") -> None:
        text = json.dumps({"command": command, "params": parameters, "token": ""})
        self._writer.write(f"{len(text)}:{text},".encode())

    def happened(self, kind: str) -> bool:
        return any(event.get("type") == kind for event in self.events)

    def close(self) -> None:
        self._reading.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads(await reader.readexactly(length))
                await reader.readexactly(1)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if message.get("event"):
                self.events.append(message)


@contextlib.asynccontextmanager
async def baresip(folder: Path, port: int, tone: Path, account: str, *, rtp: int = 30000) -> AsyncIterator[Baresip]:
    """With one account line (its own syntax), saying the sound of `tone` to everybody; control at `port` + 2."""
    home = folder / f"baresip-{port}"
    home.mkdir()
    settings = BARESIP.format(
        port=port, control=port + 2, tone=tone, cafile=folder / "cert.pem", rtp=rtp, rtp_end=rtp + 99
    )
    (home / "config").write_text(settings)
    (home / "accounts").write_text(account + "\n")
    (home / "contacts").write_text("")
    async with _process("baresip", "-f", str(home)):
        await _reachable(port + 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port + 2)
        peer = Baresip(reader, writer, account)
        try:
            yield peer
        finally:
            peer.close()


@contextlib.asynccontextmanager
async def _process(*command: str) -> AsyncIterator[None]:
    """Until the block ends. Its output goes nowhere: what matters is what it does."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 5.0)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _reachable(port: int) -> None:
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
