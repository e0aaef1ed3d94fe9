"""TLS as Mozilla's intermediate profile has it, seen with Python's ssl module; mutual, and HTTP/2 alone."""

import socket
import ssl

import pytest

GOOD = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
# Without AEAD, without forward secrecy, with finite-field Diffie-Hellman, with nothing at all.
BAD = ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256",
       "AES256-SHA", "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-CCM8",
       "ECDHE-ECDSA-CAMELLIA128-SHA256", "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA", "PSK-AES128-GCM-SHA256"]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture(params=["edge", "control"])
def connect(request, site):
    """`connect(change)` is an open TLS socket as an edge client, after `change(context)`; `role=None` shows nothing."""
    host, port = getattr(site, request.param).rsplit(":", 1)

    def open_socket(change=lambda context: None, role="edge-client", alpn=("h2",)):
        context = ssl.create_default_context(cafile=str(site.certs / "authority.pem"))
        if role:
            context.load_cert_chain(site.certs / f"{role}.pem", site.certs / f"{role}.key")
        if alpn:
            context.set_alpn_protocols(list(alpn))
        change(context)
        plain = socket.create_connection((host, int(port)), timeout=10)
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    return open_socket


def only(version):
    def change(context):
        context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version

    return change


def ciphers(names):
    def change(context):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(names + ":@SECLEVEL=0")

    return change


def speaks_http2(connection):
    """The server's SETTINGS come after the preface: it has taken us."""
    connection.sendall(PREFACE)
    return connection.recv(9)[3:4] == b"\x04"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_these_versions_speak_http2(connect, version):
    with connect(only(version)) as connection:
        assert connection.version() == version.name.replace("_", ".")
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.compression() is None
        assert speaks_http2(connection)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_these_versions_get_no_connection(connect, version):
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version|no.protocols|unsupported.protocol"):
        connect(only(version))


@pytest.mark.parametrize("name", GOOD)
def test_ciphers_of_the_profile(connect, name):
    with connect(ciphers(name)) as connection:
        assert connection.cipher()[0] == name and speaks_http2(connection)


@pytest.mark.parametrize("name", BAD)
def test_no_cipher_beside_the_profile(connect, name):
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(name + ":@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("this OpenSSL has it no more")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        connect(ciphers(name))


def test_the_order_of_the_ciphers(connect):
    with connect(ciphers(":".join(reversed(GOOD[:2])))) as connection:
        assert connection.cipher()[0] == GOOD[0]
    # A client without AES in hardware asks for it first, and gets it.
    with connect(ciphers(":".join(reversed(GOOD)))) as connection:
        assert connection.cipher()[0] == GOOD[2]


@pytest.mark.parametrize("name, is_good", [("prime256v1", True), ("secp384r1", True), ("secp521r1", False)])
def test_curves(connect, name, is_good):
    # TLS 1.3: in 1.2 the choice would be bound to the certificate's own curve.
    def change(context):
        context.set_ecdh_curve(name)
        context.minimum_version = ssl.TLSVersion.TLSv1_3

    if is_good:
        with connect(change) as connection:
            assert speaks_http2(connection)
    else:
        with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
            connect(change)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_can_be_resumed(connect, version):
    with connect(only(version)) as connection:
        assert speaks_http2(connection)
        session = connection.session
        assert session is None or not session.has_ticket
        assert not connection.session_reused


@pytest.mark.parametrize("offer, chosen", [(("http/1.1", "h2"), "h2"), (("h2c", "h2"), "h2")])
def test_http2_is_chosen_among_others(connect, offer, chosen):
    with connect(alpn=offer) as connection:
        assert connection.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("offer", [("http/1.1",), ("h2c",), ("h2-14", "h3"), ("H2",)])
def test_without_http2_in_the_offer_the_alert_says_so(connect, offer):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(alpn=offer)


def test_without_an_offer_no_byte_of_http2_is_spoken(connect):
    with connect(alpn=None) as connection:
        assert connection.selected_alpn_protocol() is None
        try:
            connection.sendall(PREFACE)
            assert connection.recv(100) == b""
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            pass


@pytest.mark.parametrize("version, alert", [(ssl.TLSVersion.TLSv1_2, "handshake.failure"),
                                            (ssl.TLSVersion.TLSv1_3, "certificate.required")])
def test_without_a_certificate_the_alert_says_so(connect, version, alert):
    with pytest.raises(ssl.SSLError, match=f"(?i){alert}"):
        # In TLS 1.3 the client hears of it only after its side of the handshake is over.
        with connect(only(version), role=None) as connection:
            connection.sendall(PREFACE)
            connection.recv(9)


def test_the_servers_certificate_names_its_role_and_host(connect):
    with connect() as connection:
        names = connection.getpeercert()["subjectAltName"]
        roles = [value.split("/")[3] for kind, value in names if kind == "URI"]
        assert roles in (["edge"], ["control"])
        assert ("IP Address", "127.0.0.1") in names
