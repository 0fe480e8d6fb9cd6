"""The device's own certificate: browsers give the microphone only to pages that came over TLS."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.terms.errors import ConfigError, DeviceError

SELF = "self"
GOOD_FOR = timedelta(days=800)
"""Apple's browsers accept 825 days at the most."""
RENEW_BEFORE = timedelta(days=30)
CERTIFICATE, KEY = "certificate.pem", "certificate.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    chain: Path
    key: Path
    fingerprint: str
    """SHA-256 in hexadecimal pairs, as browsers show it."""
    ends: datetime
    """After that no browser accepts it."""

    def context(self) -> ssl.SSLContext:
        """Raises ConfigError where certificate and key do not fit, or are none."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.chain, self.key)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError([f"http.tls: {self.chain} with {self.key}: {error.strerror or error}"]) from error
        return context


def given(chain: Path, key: Path) -> Certificate:
    """The owner's own: PEM files; `key` may be in the same file. Raises ConfigError where it cannot be read."""
    try:
        first = x509.load_pem_x509_certificate(chain.read_bytes())
    except OSError as error:
        raise ConfigError([f"http.tls: {chain}: {error.strerror}"]) from error
    except ValueError:
        raise ConfigError([f"http.tls: {chain} is no certificate in PEM form"]) from None
    return Certificate(chain=chain, key=key, fingerprint=_fingerprint(first), ends=first.not_valid_after_utc)


def own(folder: Path, now: datetime) -> Certificate:
    """The certificate kept in `folder`, made where there is none yet, it is damaged or about to end.

    A browser that was told once to trust it goes on to do so: it stays the same when the device's addresses change.
    Raises DeviceError where it cannot be written.
    """
    chain, key = folder / CERTIFICATE, folder / KEY
    found = _kept(chain, key, now)
    if found is None:
        try:
            found = _make(chain, key, now)
        except OSError as error:
            raise DeviceError(
                f"the certificate cannot be kept in {folder}: {error.strerror}",
                mend="Give that folder to the user who runs Frontdesk, or set XDG_STATE_HOME.",
            ) from error
    return Certificate(chain=chain, key=key, fingerprint=_fingerprint(found), ends=found.not_valid_after_utc)


def addresses() -> list[str]:
    """The device's own addresses on its networks, IPv4 first; without loopback and link-local ones."""
    found = [str(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip) for a in ifaddr.get_adapters() for ip in a.ips]
    good = [a for a in found if not (ipaddress.ip_address(a).is_loopback or ipaddress.ip_address(a).is_link_local)]
    return sorted(dict.fromkeys(good), key=lambda address: ":" in address)


def _kept(chain: Path, key: Path, now: datetime) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    fits = private.public_key() == certificate.public_key()
    good = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
    return certificate if fits and good else None


def _make(chain: Path, key: Path, now: datetime) -> x509.Certificate:
    private = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Frontdesk on {host}"[:64])])
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in dict.fromkeys((host, f"{host}.local", "localhost"))]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1", *addresses())]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a clock that was wrong when the device was first switched on
        .not_valid_after(now + GOOD_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    chain.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(key, pem)
    _replace(chain, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all, readable by its owner alone."""
    part = path.with_suffix(f"{path.suffix}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    part.replace(path)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()
