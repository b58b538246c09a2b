"""`amqps://`: nothing is said to a broker whose certificate is of another CA, or of another host."""

import datetime
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kombu import Connection

from chassis import broker


class Authority:
    """A CA of the tests' own."""

    def __init__(self, folder):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {folder.name}")])
        self.file = folder / "ca.pem"
        self.file.write_bytes(
            self._sign(self.name, self.key.public_key(), ca=True).public_bytes(serialization.Encoding.PEM)
        )

    def _sign(self, subject, public_key, *, ca, host=None):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certificate(self, host):
        """The file of a key and a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
        signed = self._sign(subject, key.public_key(), ca=False, host=host)
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self.folder / "server.pem"
        pem = serialization.Encoding.PEM
        file.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
        return file


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "one").mkdir()
    return Authority(tmp_path / "one")


def said_to(certificate, url_host="127.0.0.1"):
    """What kombu says first to a TLS server with that certificate; raises what the connection raises."""
    heard = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(8))
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"amqps://one:x@{url_host}:{listener.getsockname()[1]}/%2F"
        try:
            with pytest.raises(Exception) as caught:  # at the latest when the server hangs up
                Connection(url, connect_timeout=5, ssl=broker.tls(url)).transport.establish_connection()
        finally:
            thread.join(timeout=10)
    reasons = (caught.value, caught.value.__cause__, caught.value.__context__)  # kombu wraps what it raises
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise reason
    return heard


def test_a_broker_with_a_certificate_of_our_ca_is_spoken_to(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert said_to(authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))) == [b"AMQP\0\0\x09\x01"]


def test_a_certificate_of_another_ca_is_refused(authority, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path / "other").file))

    with pytest.raises(ssl.SSLCertVerificationError):
        said_to(authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))))


def test_a_certificate_of_another_host_is_refused(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    with pytest.raises(ssl.SSLCertVerificationError):
        said_to(authority.certificate(x509.DNSName("another.example")))


def test_without_tls_nothing_is_asked():
    assert broker.tls("amqp://one:x@broker:5672/%2F") is None
