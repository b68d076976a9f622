"""The certificate that is made once, as TLS itself sees it."""

import datetime
import ipaddress
import json
import ssl
import stat
import time
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from serving import served

import label_image.serve.certificates as certificates
from label_image.errors import ModelError
from label_image.serve.certificates import own_certificate

LAN = "192.168.7.7"


def leaf(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates((folder / "server.crt").read_bytes())[0]


def test_it_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "https"
    first, files = own_certificate("0.0.0.0", LAN, folder)
    content = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(content) == {"ca.crt", "ca.key", "server.crt", "server.key"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    again, _ = own_certificate("0.0.0.0", LAN, folder)
    assert again == first and content == {file.name: file.read_bytes() for file in folder.iterdir()}
    assert files.chain.read_bytes() == content["server.crt"]


def test_phones_take_it(tmp_path: Path) -> None:
    own_certificate("0.0.0.0", LAN, tmp_path)
    found = leaf(tmp_path)
    assert found.not_valid_after_utc - found.not_valid_before_utc <= datetime.timedelta(days=397)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {ipaddress.ip_address(LAN), ipaddress.ip_address("127.0.0.1")} <= set(
        names.get_values_for_type(x509.IPAddress)
    )
    assert "localhost" in names.get_values_for_type(x509.DNSName)


def test_the_authority_cannot_sign_for_others(tmp_path: Path) -> None:
    """A certificate for a bank that it signs is refused by OpenSSL: it is tried."""
    own_certificate("127.0.0.1", None, tmp_path)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical and constraints.value.permitted_subtrees
    names = certificates._names("bank.example", "8.8.8.8", authority)
    assert not {"bank.example", "8.8.8.8"} & {str(name.value) for name in names}


def test_another_address_gets_another_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first, _ = own_certificate("127.0.0.1", LAN, tmp_path)
    before = leaf(tmp_path)
    second, _ = own_certificate("127.0.0.1", "10.0.0.5", tmp_path)
    assert first == second and leaf(tmp_path) != before


@pytest.mark.parametrize("name", ["other-box", "cafétière", ""])
def test_another_name_of_the_machine_does_no_harm(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority may not sign for it, and one name too many would spoil the certificate."""
    first, _ = own_certificate("127.0.0.1", LAN, tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: name)
    second, _ = own_certificate("127.0.0.1", "10.0.0.9", tmp_path)
    assert first == second
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    verifier = (
        PolicyBuilder()
        .store(Store([authority]))
        .build_server_verifier(x509.IPAddress(ipaddress.ip_address("10.0.0.9")))
    )
    verifier.verify(leaf(tmp_path), [])
    own_certificate("127.0.0.1", LAN, tmp_path / "new")


def test_one_that_ends_soon_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = own_certificate("127.0.0.1", LAN, tmp_path)
    before = leaf(tmp_path)
    later = certificates._now() + datetime.timedelta(days=certificates.DAYS - certificates.LEFT_DAYS + 1)
    monkeypatch.setattr(certificates, "_now", lambda: later)
    second, _ = own_certificate("127.0.0.1", LAN, tmp_path)
    assert first == second and leaf(tmp_path).not_valid_after_utc > before.not_valid_after_utc


def test_a_damaged_one_is_said(tmp_path: Path) -> None:
    own_certificate("127.0.0.1", LAN, tmp_path)
    (tmp_path / "ca.key").write_text("none")
    with pytest.raises(ModelError, match="damaged"):
        own_certificate("127.0.0.1", LAN, tmp_path)


def test_who_does_not_begin_to_encrypt_is_given_up(colours: Path, tmp_path: Path) -> None:
    with served(colours, "--https", environment={"XDG_DATA_HOME": str(tmp_path)}) as server, server.connect() as silent:
        began = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - began < 50  # asyncio itself would wait for 60 seconds
        assert server.end()[0] == 0


def test_a_browser_that_trusts_the_authority_is_answered(colours: Path, red: bytes, tmp_path: Path) -> None:
    with served(colours, "--https", environment={"XDG_DATA_HOME": str(tmp_path)}) as server:
        assert server.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "label_image/https/ca.crt"))
        with urllib.request.urlopen(f"{server.url}label", red, timeout=60, context=trusting) as answer:
            assert json.load(answer)["label"] == "red"
        with urllib.request.urlopen(f"{server.url}ca.crt", timeout=60, context=trusting) as answer:
            assert answer.headers["content-type"] == "application/x-x509-ca-cert"
            authority = x509.load_der_x509_certificate(answer.read())
        assert authority == x509.load_pem_x509_certificate((tmp_path / "label_image/https/ca.crt").read_bytes())
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(server.url, timeout=60, context=ssl.create_default_context())
        files = [str(tmp_path / "label_image/https" / name) for name in ("server.crt", "server.key")]
    with served(colours, "--cert", files[0], "--key", files[1]) as server:
        with urllib.request.urlopen(f"{server.url}label", red, timeout=60, context=trusting) as answer:
            assert json.load(answer)["label"] == "red"
        assert server.end()[0] == 0
