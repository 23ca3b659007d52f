"""HTTP messages of both roles: complete and cut ones, limits and refusals."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError
from wsman.http import (
    SOAP,
    HttpClient,
    HttpError,
    HttpLimits,
    HttpServer,
    Request,
    Response,
    content_type,
    decoded,
)

SMALL = HttpLimits(max_head=1024, max_body=100)


def post(body: bytes = b"<x/>", headers: str = "", target: str = "/wsman") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def requests(data: bytes, cuts: list[int] | None = None) -> list[Request]:
    server = HttpServer(limits=SMALL)
    found = []
    edges = [0, *(cuts or []), len(data)]
    for start, stop in itertools.pairwise(edges):
        if start < stop:
            server.receive_data(data[start:stop])
        while (request := server.next_request()) is not None:
            found.append(request)
            server.respond(Response(status=200))
    return found


def test_a_request_is_read_whole() -> None:
    (request,) = requests(post(b"<x/>", "Authorization: Basic eA==\r\nX: 1\r\nx: 2\r\n"))
    assert (request.method, request.target, request.body) == ("POST", "/wsman", b"<x/>")
    assert request.header("AUTHORIZATION") == "Basic eA=="
    assert request.all("x") == ("1", "2")
    assert request.header("missing") is None
    assert not request.chunked


@given(st.data())
def test_any_cut_gives_the_same_requests(data: st.DataObject) -> None:
    wire = post(b"one") + post(b"") + post(b"three", "Expect: nothing\r\n")
    cuts = data.draw(st.lists(st.integers(0, len(wire))).map(sorted))
    assert requests(wire, cuts) == requests(wire)
    assert [each.body for each in requests(wire)] == [b"one", b"", b"three"]


PATHS = [
    ("/wsman", "/wsman"),
    ("/wsman/", "/wsman"),
    ("/wsman?PSVersion=7.6.9", "/wsman"),
    ("http://h:5985/wsman/?x", "/wsman"),
    ("/", "/"),
    ("/other/wsman", "/other/wsman"),
]


@pytest.mark.parametrize(("target", "path"), PATHS)
def test_the_path_is_without_query_host_and_final_slash(target: str, path: str) -> None:
    assert requests(post(target=target))[0].path == path


def test_a_chunked_body_is_joined_and_marked() -> None:
    wire = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire += b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    (request,) = requests(wire)
    assert (request.body, request.chunked) == (b"abc", True)


def test_a_client_that_waits_is_told_to_go_on() -> None:
    server = HttpServer(limits=SMALL)
    head, _, body = post(b"<x/>", "Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    server.receive_data(head + b"\r\n\r\n")
    assert server.next_request() is None
    assert server.data_to_send().startswith(b"HTTP/1.1 100 ")
    assert server.data_to_send() == b""
    server.receive_data(body)
    request = server.next_request()
    assert request is not None
    assert request.body == b"<x/>"


def test_a_client_that_waits_with_too_much_is_refused_before_it_sends() -> None:
    """Statement H77."""
    server = HttpServer(limits=SMALL)
    server.receive_data(post(b"x" * 101, "Expect: 100-continue\r\n")[:-101])
    with pytest.raises(LimitExceeded):
        server.next_request()
    assert server.data_to_send() == b""
    assert server.refuse(413).startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
    assert server.closing


def test_a_chunked_body_is_bounded_too() -> None:
    server = HttpServer(limits=SMALL)
    server.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    server.receive_data(b"40\r\n" + b"x" * 64 + b"\r\n40\r\n" + b"x" * 64 + b"\r\n")
    with pytest.raises(LimitExceeded):
        server.next_request()


BROKEN = [
    (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 2000, 431),
    (b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), BROKEN)
def test_what_is_no_http_names_its_status(data: bytes, status: int) -> None:
    server = HttpServer(limits=SMALL)
    server.receive_data(data)
    with pytest.raises(HttpError) as caught:
        server.next_request()
    assert caught.value.status == status
    assert server.closing


@given(st.binary(max_size=300))
def test_garbage_is_the_clients_fault(data: bytes) -> None:
    try:
        found = requests(data)
    except RemoteProtocolError:
        found = []
    assert len(found) <= len(data)


def test_a_response_is_one_piece() -> None:
    server = HttpServer()
    server.receive_data(post())
    server.next_request()
    data = server.respond(Response(status=401, headers=(("WWW-Authenticate", "Negotiate"),)))
    assert data == (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"
    )
    assert not server.closing
    assert server.idle


def test_a_response_out_of_turn_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        HttpServer().respond(Response(status=200))


def test_http_1_0_ends_with_its_response() -> None:
    server = HttpServer()
    server.receive_data(b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
    assert server.next_request() is not None
    server.respond(Response(status=200))
    assert server.closing


def test_a_client_that_hangs_up_is_seen() -> None:
    server = HttpServer()
    server.receive_data(post())
    server.next_request()
    assert not server.peer_closed
    server.receive_data(b"")
    assert server.peer_closed


NAMES = st.sampled_from(
    ["Host", "Content-Length", "content-length", "X", "Expect", "Transfer-Encoding", "Connection",
     "Content-Type", "Authorization"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["0", "3", "3 ", "+3", "03", "chunked", "close", "Keep-Alive", "h", "100-continue"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=8),
)
LINES = st.lists(
    st.tuples(NAMES, st.sampled_from([":", ": ", ":  ", " : "]), VALUES).map("".join), max_size=6
)
FIRST = st.sampled_from(
    ["POST /wsman HTTP/1.1", "POST /a b HTTP/1.1", "GET / HTTP/1.1", "POST / HTTP/1.0",
     "POST http://h/ HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.1 204 No", "HTTP/1.1 500 ",
     "HTTP/1.1 99 x", "HTTP/1.1 200"]
)  # fmt: skip


def _outcome(reader: HttpServer | HttpClient, wire: bytes) -> object:
    """Return the message, and whether the connection may go on; or the error's class."""
    reader.receive_data(wire)
    try:
        if isinstance(reader, HttpServer):
            request = reader.next_request()
            if request is not None:
                reader.respond(Response(status=200))
            return request, reader.closing
        response = reader.next_response()
        return response, response is not None and reader.reusable
    except (HttpError, LimitExceeded, LocalProtocolError) as error:
        return type(error)


@given(FIRST, LINES, st.sampled_from([b"", b"abc"]), st.booleans())
def test_the_usual_form_is_read_as_h11_reads_it(
    first: str, lines: list[str], body: bytes, server: bool
) -> None:
    """Any head: what is read without h11 is the same message, and the same goes on after it."""
    wire = "\r\n".join([first, *lines, "", ""]).encode("latin-1") + body
    fast: HttpServer | HttpClient = HttpServer(limits=SMALL) if server else HttpClient("h")
    slow: HttpServer | HttpClient = HttpServer(limits=SMALL) if server else HttpClient("h")
    for each in (fast, slow):
        if isinstance(each, HttpClient):
            each.request("/", ())
    slow._leave_to_h11()
    assert _outcome(fast, wire) == _outcome(slow, wire)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/", (("X", "a\r\nY: b"),)),
        ("/", (("X\r\nY", "b"),)),
        ("/ HTTP/1.1\r\nX: y", ()),
        ("", ()),
    ],
)
def test_a_line_break_in_a_request_is_our_fault(
    target: str, headers: tuple[tuple[str, str], ...]
) -> None:
    client = HttpClient("h")
    with pytest.raises(LocalProtocolError):
        client.request(target, headers)
    assert client.request("/", ()).startswith(b"POST / HTTP/1.1\r\n")


# -- the client


def exchange(answer: bytes, limits: HttpLimits = SMALL) -> Response:
    client = HttpClient("h:5985", limits=limits)
    client.request("/wsman", (("Content-Type", SOAP),), b"<x/>")
    for at in range(len(answer)):
        client.receive_data(answer[at : at + 1])
        if (response := client.next_response()) is not None:
            return response
    client.receive_data(b"")
    response = client.next_response()
    assert response is not None
    return response


def test_a_request_is_one_piece() -> None:
    data = HttpClient("h:5985").request("/wsman", (("Content-Type", SOAP),), b"<x/>")
    assert data == (
        b"POST /wsman HTTP/1.1\r\nHost: h:5985\r\nUser-Agent: psremoting\r\n"
        b"Accept-Encoding: identity\r\nConnection: Keep-Alive\r\n"
        b"Content-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: 4\r\n\r\n<x/>"
    )


def test_responses_are_read_whole_and_the_connection_is_used_again() -> None:
    client = HttpClient("h")
    for body in (b"first", b""):
        assert client.reusable
        client.request("/", ())
        assert not client.reusable
        client.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.next_response() is None
        client.receive_data(
            b"HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        response = client.next_response()
        assert response is not None
        assert (response.status, response.reason, response.body) == (200, "Fine", body)


def test_a_second_request_at_once_is_our_fault() -> None:
    client = HttpClient("h")
    client.request("/", ())
    with pytest.raises(LocalProtocolError):
        client.request("/", ())


ENCODINGS = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", lambda data: zlib.compress(data, wbits=-15)),
    ("identity", bytes),
]


@pytest.mark.parametrize(("name", "compress"), ENCODINGS)
def test_compressed_answers_are_unpacked(name: str, compress: object) -> None:
    body = compress(b"hello")  # type: ignore[operator]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert exchange(head.encode() + body).body == b"hello"


def test_a_compressed_bomb_is_not_unpacked() -> None:
    with pytest.raises(LimitExceeded):
        decoded(gzip.compress(bytes(1 << 24)), "gzip", 1 << 16)


@pytest.mark.parametrize(
    ("body", "name", "status"),
    [
        (b"x", "br", 415),
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"cut", mtime=0)[:-3], "gzip", 400),
    ],
)
def test_what_cannot_be_unpacked_is_refused(body: bytes, name: str, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        decoded(body, name, 100)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"SSH-2.0\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_or_none_is_an_error(answer: bytes) -> None:
    with pytest.raises(HttpError):
        exchange(answer)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    assert exchange(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\nabc").body == b"abc"


def test_an_answer_over_the_limit_is_not_kept() -> None:
    with pytest.raises(LimitExceeded):
        exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n")


def test_a_proxy_opens_a_tunnel() -> None:
    client = HttpClient("h:5986")
    assert client.request("h:5986", (), method="CONNECT").startswith(b"CONNECT h:5986 HTTP/1.1\r\n")
    client.receive_data(b"HTTP/1.1 200 Connection established\r\n\r\n")
    response = client.next_response()
    assert response is not None
    assert response.status == 200


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (SOAP, ("application/soap+xml", "utf-8")),
        ('Application/SOAP+XML; Charset="UTF-16"', ("application/soap+xml", "utf-16")),
        ("text/xml", ("text/xml", "")),
        ("", ("", "")),
    ],
)
def test_a_content_type_is_read(value: str, read: tuple[str, str]) -> None:
    assert content_type(value) == read
