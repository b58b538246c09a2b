"""`amqps://`: no data is sent to a broker with a certificate of another CA or for another host."""

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


def first_bytes_sent(certificate, url_host="127.0.0.1"):
    """The first bytes that kombu sends to a TLS server with that certificate; raises what the connection raises."""
    received = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    received.append(secured.recv(8))
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"amqps://one:x@{url_host}:{listener.getsockname()[1]}/%2F"
        try:
            with pytest.raises(Exception) as caught:  # at the latest when the server hangs up
                Connection(url, connect_timeout=60, ssl=broker.tls(url)).transport.establish_connection()
        finally:
            thread.join(timeout=120)
    reasons = (caught.value, caught.value.__cause__, caught.value.__context__)  # kombu wraps what it raises
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise reason
    return received


def test_a_certificate_of_the_trusted_ca_is_accepted(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert first_bytes_sent(authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))) == [
        b"AMQP\0\0\x09\x01"
    ]


def test_a_certificate_of_another_ca_is_rejected(authority, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path / "other").file))

    with pytest.raises(ssl.SSLCertVerificationError):
        first_bytes_sent(authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))))


def test_a_certificate_for_another_host_is_rejected(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    with pytest.raises(ssl.SSLCertVerificationError):
        first_bytes_sent(authority.certificate(x509.DNSName("another.example")))


def test_amqp_urls_need_no_tls_options():
    assert broker.tls("amqp://one:x@broker:5672/%2F") is None
