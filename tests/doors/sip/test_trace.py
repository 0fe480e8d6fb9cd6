from __future__ import annotations

from appliance.doors.sip.trace import Seen, read

REQUEST = (
    "RX UDP 192.0.2.7:5060 -> 10.0.0.1:5060\nINVITE sip:100@10.0.0.1 SIP/2.0\r\n"
    "CSeq: 1 INVITE\r\nAuthorization: Digest x"
)
ANSWER = "TX TLS [2001:db8::2]:5061 -> [2001:db8::7]:40000\nSIP/2.0 404 Not Found\r\ncseq:  7  REGISTER\r\n"


def test_a_request_and_an_answer() -> None:
    assert read(REQUEST) == Seen(received=True, peer="192.0.2.7", method="INVITE", credentials=True)
    assert read(ANSWER) == Seen(received=False, peer="2001:db8::7", method="REGISTER", status=404)


def test_what_is_none() -> None:
    assert read("") is None
    assert read("RX UDP nothing") is None
    assert read("Local network addresses:") is None
