"""A certificate of one's own, made once: an authority that a phone is told to trust, and a certificate of it.

Phones take a certificate of at most 397 days (iOS). So the authority, which lasts ten years, signs a new one when the
old one ends soon or this machine has another address, and the phone need not be told again. Whoever steals the
authority's key could pose as servers of one's own network, and no others: it may only sign for local names and private
addresses.
"""

import datetime
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from label_image.errors import ModelError
from label_image.files import reason_of, write_in_one_step
from label_image.serve.server import Certificate

AUTHORITY_DAYS, DAYS, LEFT_DAYS = 3650, 396, 30
NAMES = ("localhost", "local", "internal", "home.arpa")
NETWORKS = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
DAY = datetime.timedelta(days=1)


def own_certificate(host: str, lan: str | None, folder: Path | None = None) -> tuple[bytes, Certificate]:
    """The authority's certificate, and the files of a valid one for this machine. Raises ModelError."""
    folder = folder or default_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority, key = _authority(folder)
        wanted = _names(host, lan, authority)
        files = Certificate(folder / "server.crt", folder / "server.key")
        if not _is_good(files, authority, wanted):
            own, chain = _sign(authority, key, wanted)
            _write(files.key, _pem(own))
            _write(files.chain, chain)
    except OSError as error:
        raise ModelError(f"The certificate in {folder} cannot be written or read ({reason_of(error)}).") from None
    except ValueError as error:
        raise ModelError(f"The certificate in {folder} is damaged ({error}): remove that folder.") from None
    return authority.public_bytes(serialization.Encoding.DER), files


def default_folder() -> Path:
    """Where the user's own files of programs lie."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "label_image" / "https"


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    files = folder / "ca.crt", folder / "ca.key"
    if all(file.is_file() for file in files):
        authority = x509.load_pem_x509_certificate(files[0].read_bytes())
        key = serialization.load_pem_private_key(files[1].read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != authority.public_key():
            raise ValueError("ca.crt and ca.key do not belong together")
        if authority.not_valid_after_utc > _now() + DAYS * DAY:
            return authority, key
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _new_authority(key)
    _write(files[1], _pem(key))
    _write(files[0], authority.public_bytes(serialization.Encoding.PEM))
    return authority, key


def _new_authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name(f"label_image on {_own_name()}"[:64])
    permitted: list[x509.GeneralName] = [x509.DNSName(each) for each in (*NAMES, _own_name())]
    permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in NETWORKS]
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(identity, critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign(
    authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, wanted: list[x509.GeneralName]
) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A key and the certificate of it, with the authority's behind."""
    own = ec.generate_private_key(ec.SECP256R1())
    identity = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    certificate = (
        _builder(_name("label_image"), authority.subject, own, DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(identity, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return own, certificate.public_bytes(pem) + authority.public_bytes(pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - DAY)  # clocks of phones differ
        .not_valid_after(_now() + days * DAY)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _is_good(files: Certificate, authority: x509.Certificate, wanted: list[x509.GeneralName]) -> bool:
    """Whether the certificate that is there is of this authority, lasts, and names this machine as it is now."""
    if not (files.chain.is_file() and files.key.is_file()):
        return False
    certificate = x509.load_pem_x509_certificates(files.chain.read_bytes())[0]
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # a type for each thing that may differ
        return False
    return (
        key.public_key() == certificate.public_key()
        and set(wanted) <= set(names)
        and certificate.not_valid_after_utc > _now() + LEFT_DAYS * DAY
    )


def _names(host: str, lan: str | None, authority: x509.Certificate) -> list[x509.GeneralName]:
    """What this machine is called, as far as the authority may sign for it: one name more, and none is believed."""
    own = _own_name()
    texts = {"localhost", own, f"{own.partition('.')[0]}.local", "127.0.0.1", "::1", host.lower(), lan or "127.0.0.1"}
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    names: list[x509.GeneralName] = []
    for text in sorted(filter(str.isascii, texts)):
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            if any(isinstance(one, x509.DNSName) and f".{text}".endswith(f".{one.value}") for one in permitted):
                names.append(x509.DNSName(text))
            continue
        if any(isinstance(one, x509.IPAddress) and found in one.value for one in permitted):  # type: ignore[operator]
            names.append(x509.IPAddress(found))
    return names


def _own_name() -> str:
    """This machine's name, if it is one that certificates can hold."""
    name = socket.gethostname().lower()
    return name if name.isascii() and name else "localhost"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, data: bytes) -> None:
    write_in_one_step(file, data)
    file.chmod(0o600)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
