"""A client of a gateway is told the gateway's addresses, and follows them."""

from lab import gateways, names
from lab.gateways import head

OWN = f"http://127.0.0.1:{gateways.PORTS['faulty']}"
MOVED = (
    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"
    f"Operation-Location: https://{names.FAULTY}/done?x=1\r\n"
    f"Link: <https://{names.FAULTY}/2>; rel=next, <https://else/>; rel=x\r\n"
    f"Set-Cookie: a=b; Secure; Domain={names.FAULTY}\r\n\r\n"
)


def test_what_an_answer_names_is_reached_by_the_gateway(gates):
    gates.lab.call("origin", plays=[[["tls"], ["head"], ["send", MOVED]]])
    answer = gates.say(head("GET /start", to="faulty"), "faulty")
    assert answer.status == 202, answer
    assert answer.fields["operation-location"] == f"{OWN}/done?x=1"
    links = f"<{OWN}/2>; rel=next, <https://else/>; rel=x"
    assert answer.fields["link"] == links
    assert answer.fields["set-cookie"] == "a=b"


def test_a_page_of_the_gateway_is_the_upstreams_own(gates):
    gates.lab.call("seen")
    own = f"http://127.0.0.1:{gateways.PORTS['seen']}"
    fields = [f"Origin: {own}", f"Referer: {own}/page"]
    assert gates.say(head("GET /from", *fields)).status == 200
    (noted,) = gates.lab.call("seen")
    told = {k.lower(): v for k, v in noted["fields"]}
    assert told["origin"] == f"https://{names.SEEN}"
    assert told["referer"] == f"https://{names.SEEN}/page"
