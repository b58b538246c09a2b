"""`amqps://`: nothing is said to a broker whose certificate is of another CA, or of another host."""

import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from kombu import Connection

from chassis.messaging import broker
from chassis.testing.certificate_authority import Authority


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
