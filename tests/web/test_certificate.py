"""The device's own certificate, and the server that uses it."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from appliance.terms.errors import ConfigError, DeviceError
from appliance.web import certificate
from appliance.web.server import WebServer

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    first = certificate.own(tmp_path / "tls", NOW)
    again = certificate.own(tmp_path / "tls", NOW + timedelta(days=700))
    assert again == first
    assert len(first.fingerprint.split(":")) == 32
    assert first.key.stat().st_mode & 0o777 == 0o600
    names = x509.load_pem_x509_certificate(first.chain.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "localhost" in names.value.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in map(str, names.value.get_values_for_type(x509.IPAddress))


@pytest.mark.parametrize("damage", ["old", "of the future", "no key", "other key", "empty"])
def test_what_is_of_no_use_any_more_is_made_anew(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "tls"
    first = certificate.own(folder, NOW)
    now = NOW
    match damage:
        case "old":
            now = NOW + timedelta(days=790)
        case "of the future":  # the clock was wrong then, or is now
            now = NOW - timedelta(days=400)
        case "no key":
            first.key.unlink()
        case "other key":
            shutil.copy(certificate.own(tmp_path / "other", NOW).key, first.key)
        case "empty":
            first.chain.write_bytes(b"")
    again = certificate.own(folder, now)
    assert again.fingerprint != first.fingerprint
    again.context()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(DeviceError, match="tls"):
        certificate.own(tmp_path / "tls", NOW)


def test_the_owners_certificate_is_checked(tmp_path: Path) -> None:
    one, other = certificate.own(tmp_path / "one", NOW), certificate.own(tmp_path / "other", NOW)
    assert certificate.given(one.chain, one.key).fingerprint == one.fingerprint
    with pytest.raises(ConfigError, match=r"http\.tls"):
        certificate.given(tmp_path / "missing.pem", one.key)
    with pytest.raises(ConfigError, match="PEM"):
        certificate.given(one.key, one.key)
    with pytest.raises(ConfigError, match=r"http\.tls"):
        certificate.given(one.chain, other.key).context()


async def test_the_page_is_served_over_tls_and_the_welcome_page_leads_to_it(tmp_path: Path) -> None:
    own = certificate.own(tmp_path, datetime.now(UTC))
    server = WebServer(
        business="Tom & Co",
        routes=[],
        missing=list,
        host="127.0.0.1",
        port=0,
        certificate=own,
        welcome_port=0,
    )
    await server.start()
    try:
        trusting = ssl.create_default_context(cafile=str(own.chain))
        async with aiohttp.ClientSession() as session:
            assert server.url.startswith("https://127.0.0.1:")
            async with session.get(server.url, ssl=trusting) as response:
                assert "Tom &amp; Co" in await response.text()
            async with session.get(server.welcome_url) as response:
                text = await response.text()
                assert f'href="{server.url}"' in text
                assert own.fingerprint in text
                assert f"connect-src {server.url};" in response.headers["Content-Security-Policy"]
            async with session.get(server.welcome_url, headers={"Host": '"><script>:1'}) as response:
                assert "<script>:" not in await response.text()
            async with session.get(f"{server.welcome_url}api/offer") as response:
                assert response.status == 404
    finally:
        await server.stop()
