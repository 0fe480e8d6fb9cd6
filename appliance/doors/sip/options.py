"""From the phone's configuration to the SIP worker's options: baresip's accounts and settings. Pure."""

from __future__ import annotations

from typing import Any

from appliance.terms.config import Encryption, SipAccount, SipConfig
from appliance.terms.errors import ConfigError

DIRECT = "direct"
USER = "frontdesk"
SPARE_CALLS = 4
"""More than the device holds: those are refused by us, who say why."""
SIGNALLING_TOS = 0x60
SYSTEMS_CA = "/etc/ssl/certs/ca-certificates.crt"
"""Of Debian and its relatives. Without any, baresip would check no certificate at all."""
JITTER_MS = "20-200"
# Opus is mono here (`opus_stereo no`), and so baresip knows it; in SDP it has two channels all the same (RFC 7587).
CODECS = {"opus": "opus/48000/1", "g722": "g722/16000/1", "pcmu": "pcmu", "pcma": "pcma"}
MEDIA = {"off": "", "optional": "srtp", "mandatory": "srtp-mand"}


def account_name(config: SipConfig, index: int) -> str:
    """An account as people know it: `user@domain`."""
    account = config.accounts[index]
    return f"{account.user}@{account.domain}"


def options(config: SipConfig, calls: int) -> dict[str, Any]:
    """Keywords of `SipStack`. Raises ConfigError."""
    host, port = listens(config)
    accounts = {account_name(config, i): _account(config, account) for i, account in enumerate(config.accounts)}
    if len(accounts) < len(config.accounts):
        raise ConfigError(["sip.accounts: two of them are the same user at the same domain"])
    if takes_direct_calls(config):
        accounts[DIRECT] = _direct(config, host)
    return {
        "accounts": accounts,
        "settings": _settings(config, host, port),
        "interface": None if host in ("0.0.0.0", "[::]") else host.strip("[]"),
        "ports": [port, port + 1],
        "calls": 2 * calls + SPARE_CALLS,
        "rtp_timeout_s": config.rtp_timeout_s,
        "servers": [name for account in config.accounts for name in (account.domain, account.proxy) if name],
        "trusted": config.trusted,
        "password": config.password,
    }


def takes_direct_calls(config: SipConfig) -> bool:
    return config.direct == "on" or (config.direct == "auto" and not config.accounts)


def listens(config: SipConfig) -> tuple[str, int]:
    """Address and port. Raises ConfigError."""
    host, _, port = config.listen.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65535:
        raise ConfigError([f"sip.listen = {config.listen!r}: it must be an address and a port, as 0.0.0.0:5060"])
    return host, int(port)


def _account(config: SipConfig, account: SipAccount) -> dict[str, Any]:
    proxy = f"{account.proxy};transport={account.transport}" if account.proxy else None
    return {
        "user": account.user,
        "domain": account.domain,
        "password": account.password,
        "auth_user": account.auth_user or None,
        "registrar": proxy,
        "reg_interval": account.expires,
        "transport": account.transport,
        "audio_codecs": [CODECS[codec] for codec in config.codecs],
        "extra_params": _extra(account.encryption),
    }


def _direct(config: SipConfig, host: str) -> dict[str, Any]:
    return {
        "user": USER,
        "domain": "localhost" if host == "0.0.0.0" else host,
        "password": "",
        "reg_interval": 0,
        "audio_codecs": [CODECS[codec] for codec in config.codecs],
        "extra_params": [*_extra(config.encryption), "catchall=yes"],
    }


def _extra(encryption: Encryption) -> list[str]:
    # Without `video_codecs=none` baresip sends a re-INVITE nobody asked for.
    media = MEDIA[encryption]
    return ["video_codecs=none", *([f"mediaenc={media}"] if media else [])]


def _settings(config: SipConfig, host: str, port: int) -> str:
    low, _, high = config.rtp_ports.partition("-")
    if not (low.isdigit() and high.isdigit() and 1024 <= int(low) < int(high) <= 65535):
        raise ConfigError([f"sip.rtp_ports = {config.rtp_ports!r}: it must be two ports, as 16384-16583"])
    lines = {
        "sip_listen": f"{host}:{port}",
        "sip_transports": "udp,tcp,tls",
        "sip_tos": str(SIGNALLING_TOS),
        "sip_verify_server": "yes",
        "rtp_tos": str(config.dscp << 2),
        "rtp_ports": config.rtp_ports,
        "audio_jitter_buffer_type": "adaptive",
        "audio_jitter_buffer_ms": JITTER_MS,
        "call_hold_other_calls": "no",
        "opus_stereo": "no",
        "opus_sprop_stereo": "no",
        "opus_inbandfec": "yes",
        "opus_packet_loss": "10",
        "opus_bitrate": "28000",
    }
    for key, path in (("sip_cafile", config.ca or SYSTEMS_CA), ("sip_certificate", config.certificate)):
        if any(character.isspace() for character in path):
            raise ConfigError([f"sip: {path!r}: the path of a certificate may not have spaces"])
        if path:
            lines[key] = path
    return "".join(f"{key} {value}\n" for key, value in lines.items())
