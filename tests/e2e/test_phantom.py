"""Phantom tokens: the broker gives them out, gateways swap them for the real
ones, and nobody else has any use for them."""

import base64
import json
import re
import time

import jwt
import pytest

from lab import gateways, names, zones
from lab.broker import ALICE, BOB, IMDS, METADATA, VERSION, raw
from lab.broker import head as broker_head
from lab.gateways import COLD_AUDIENCE, head

UNIT = "job-1.service"
SHORT_S = 5


def policy(*audiences):
    """The gateways', with phantoms for what they inject."""
    value = gateways.policy()
    for rule in value["rules"]:
        if rule["id"] == "vault":
            rule.update(gateways.inject(names.VAULT_AUDIENCE))
    form = {"form": "phantom", "audiences": list(audiences)}
    value["tokens"] = [
        {
            "id": "alice-phantoms",
            "workloads": ["alice"],
            "identities": ["alice", "bob"],
            **form,
        },
        {
            "id": "bob-phantoms",
            "workloads": ["bob"],
            "identities": ["bob"],
            **form,
        },
    ]
    return value


EVERY = (
    names.SEEN_AUDIENCE,
    names.ML_AUDIENCE,
    names.VAULT_AUDIENCE,
    COLD_AUDIENCE,
)


@pytest.fixture(scope="module")
def phantoms(gates):
    gates.reload(rules=policy(*EVERY))
    return gates


def ask(gates, audience, more="", **who):
    target = f"{IMDS}{VERSION}&resource={audience}{more}"
    ((answer,),) = raw(gates.agent, broker_head(target, METADATA), **who)
    return answer


def take(gates, audience=names.SEEN_AUDIENCE, more="", **who):
    """The whole answer of the broker."""
    answer = ask(gates, audience, more, **who)
    assert answer.get("status") == 200, answer
    return json.loads(answer["body"])


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def bring(gates, token, to="seen", **who):
    """The answer, and whose token the origin saw."""
    gates.lab.call("seen")
    text = head("GET /x", f"Authorization: Bearer {token}", to=to)
    answer = gates.play((to, [["send", text], ["all"]]), **who)[0]
    proofs = [n["authorization"] for n in gates.lab.call("seen")]
    return answer, proofs


def refused(gates, code, token, to="seen", **who):
    before = len(gates.agent.records())
    answer, proofs = bring(gates, token, to, **who)
    assert (answer.status, answer.code) == (403, code), answer
    assert proofs == []
    (record,) = gates.agent.finals(before, id=answer.json["id"])
    assert (record["verdict"], record["code"]) == ("deny", code)
    assert token not in json.dumps(record)
    return record


def test_the_broker_gives_a_token_that_clients_can_read(phantoms):
    body = take(phantoms)
    found = claims(body["access_token"])
    assert found["iss"] == "urn:wayleave:wayleave"
    assert found["aud"] == names.SEEN_AUDIENCE
    assert found["tid"] == names.TENANT
    assert found["oid"] == ALICE["object_id"]
    assert found["exp"] == int(body["expires_on"])
    header = jwt.get_unverified_header(body["access_token"])
    assert header["alg"] == "HS256"
    assert body["client_id"] == ALICE["client_id"]
    record = phantoms.agent.last_record()
    assert record["event"] == "token"
    assert record["rule"] == "alice-phantoms"
    assert found["jti"].startswith(record["injected"]["token_id"])


def test_a_gateway_swaps_it_for_the_token_of_its_identity(phantoms):
    token = take(phantoms)["access_token"]
    answer, proofs = bring(phantoms, token)
    assert answer.status == 200, answer
    assert proofs == [[f"alice {names.SEEN_AUDIENCE}"]]
    injected = phantoms.agent.last_record()["injected"]
    assert injected["identity"] == "alice"
    assert claims(token)["jti"].startswith(injected["token_id"])
    # Another identity's, though the rule has one of its own.
    more = f"&client_id={BOB['client_id']}"
    token = take(phantoms, more=more)["access_token"]
    _, proofs = bring(phantoms, token)
    assert proofs == [[f"bob {names.SEEN_AUDIENCE}"]]


def test_it_may_be_used_again_and_on_one_connection(phantoms):
    token = take(phantoms)["access_token"]
    field = f"Authorization: Bearer {token}"
    text = head("GET /1", field, close=False) + head("GET /2", field)
    phantoms.lab.call("seen")
    (answer,) = phantoms.play(("seen", [["send", text], ["all"]]))
    assert answer.statuses() == [200, 200]
    proofs = [n["authorization"] for n in phantoms.lab.call("seen")]
    assert proofs == [[f"alice {names.SEEN_AUDIENCE}"]] * 2


def resign(token, **changed):
    """As somebody would who does not have the key."""
    return jwt.encode({**claims(token), **changed}, "x" * 32, "HS256")


def unsigned(token):
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}')
    return f"{none.decode().rstrip('=')}.{token.split('.')[1]}."


def flip(token, at):
    other = "A" if token[at] != "A" else "B"
    return token[:at] + other + (token[at + 1 :] if at != -1 else "")


def test_replayed_by_another_user_or_unit_it_is_refused(phantoms):
    token = take(phantoms, COLD_AUDIENCE, unit=UNIT)["access_token"]
    assert bring(phantoms, token, "cold", unit=UNIT)[0].status == 200
    for who in (
        {"user": "bob", "unit": UNIT},
        {"user": "bob"},
        {"unit": "job-2.service"},
        {},
    ):
        record = refused(phantoms, "TOKEN_INVALID", token, "cold", **who)
        injected = record["injected"]
        assert claims(token)["jti"].startswith(injected["token_id"])
        assert injected["audience"] == COLD_AUDIENCE


def test_at_another_host_or_audience_it_is_refused(phantoms):
    token = take(phantoms)["access_token"]
    for to in ("cold", "databricks", "mlflow", "bare"):
        refused(phantoms, "TOKEN_AUDIENCE", token, to)
    token = take(phantoms, names.ML_AUDIENCE)["access_token"]
    refused(phantoms, "TOKEN_AUDIENCE", token)


def test_in_clear_it_goes_nowhere(phantoms):
    token = take(phantoms)["access_token"]
    host = zones.PLAIN_HOSTS[0]
    text = (
        f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    plays = [(3180, [["send", text], ["all"]])]
    plays.append((3180, [["send", text.replace(token, "mine")], ["all"]]))
    answer, other = phantoms.play(*plays)
    assert (answer.status, answer.code) == (403, "TOKEN_AUDIENCE"), answer
    assert other.status == 200, other


def test_made_up_or_changed_it_is_refused(phantoms):
    token = take(phantoms)["access_token"]
    dot = token.rindex(".")
    for changed in (
        flip(token, -1),
        flip(token, dot + 1),
        flip(token, dot - 5),
        token[:dot],
        token[: dot + 1],
        token + "A",
        token + "=",
        token + ".x",
    ):
        refused(phantoms, "TOKEN_INVALID", changed)
    # Nothing says that it is one of ours.
    for other in (unsigned(token), resign(token, wl={"u": 0})):
        refused(phantoms, "AUTHORIZATION_PRESENT", other)


def test_beside_another_credential_it_is_refused(phantoms):
    token = take(phantoms)["access_token"]
    bearer = f"Authorization: Bearer {token}"
    said = {
        "twice": head("GET @", bearer, bearer),
        "basic": head("GET @", "Authorization: Basic eA==", bearer),
        "key": head("GET @", bearer, "api-key: x"),
        "nominated": head(
            "GET @", bearer, "Connection: authorization", close=False
        ),
    }
    for name, (answer, noted) in phantoms.each(said).items():
        assert answer.code == "AUTHORIZATION_PRESENT", (name, answer)
        assert noted == [], name
    said = {"sas": head("GET @?sv=1&sig=x", bearer)}
    ((answer, noted),) = phantoms.each(said).values()
    assert (answer.code, noted) == ("SAS_REFUSED", [])


def test_after_its_end_it_is_refused(phantoms, imds):
    audience = names.ML_AUDIENCE
    imds(life_s=SHORT_S, resource=audience)
    body = take(phantoms, audience, user="bob")
    left = int(body["expires_on"]) - time.time()
    assert left <= SHORT_S
    assert claims(body["access_token"])["exp"] == int(body["expires_on"])
    time.sleep(max(0, left) + 1)
    # Whatever else would be wrong with it there.
    refused(
        phantoms, "TOKEN_INVALID", body["access_token"], "cold", user="bob"
    )


def revoke(gates, *words, user="alice", code=0):
    done = gates.agent.cli("token", "revoke", *words, user=user)
    assert done.code == code, done
    return done


def test_revoked_it_is_refused_and_the_next_one_is_good(phantoms):
    for words in (
        lambda c: [],
        lambda c: [c["jti"]],
        lambda c: [c["jti"][:12]],
        lambda c: ["--user", "alice"],
    ):
        token = take(phantoms)["access_token"]
        assert bring(phantoms, token)[0].status == 200
        done = revoke(phantoms, *words(claims(token)))
        assert done.out.startswith("revoked: ")
        record = refused(phantoms, "TOKEN_INVALID", token)
        assert record["injected"] == {
            "identity": "alice",
            "audience": names.SEEN_AUDIENCE,
            "token_id": claims(token)["jti"][:12],
        }
        token = take(phantoms)["access_token"]
        assert bring(phantoms, token)[0].status == 200


def test_one_revoked_spares_the_others(phantoms):
    gone, kept = (take(phantoms)["access_token"] for _ in range(2))
    revoke(phantoms, claims(gone)["jti"], user="root")
    refused(phantoms, "TOKEN_INVALID", gone)
    assert bring(phantoms, kept)[0].status == 200
    # Bob's own revocation is no matter of alice's, whatever ID he gives.
    revoke(phantoms, claims(kept)["jti"], user="bob")
    assert bring(phantoms, kept)[0].status == 200


def test_those_of_others_are_for_operators(phantoms):
    token = take(phantoms)["access_token"]
    revoke(phantoms, "--all", user="bob", code=77)
    revoke(phantoms, "--user", "alice", user="bob", code=77)
    revoke(phantoms, "nonsense", code=64)
    assert bring(phantoms, token)[0].status == 200
    revoke(phantoms, "--all", user="root")
    refused(phantoms, "TOKEN_INVALID", token)


def test_a_restart_forgets_neither_phantoms_nor_revocations(phantoms):
    agent = phantoms.agent
    gone = take(phantoms)["access_token"]
    done = revoke(phantoms, "--user", "alice", "--json", user="root")
    assert json.loads(done.out) == {"ok": True}
    kept = take(phantoms)["access_token"]
    assert agent.stop() == 0
    agent.start()
    refused(phantoms, "TOKEN_INVALID", gone)
    assert bring(phantoms, kept)[0].status == 200


def test_after_a_reload_without_its_grant_it_is_refused(phantoms):
    token = take(phantoms)["access_token"]
    phantoms.reload(rules=policy(COLD_AUDIENCE))
    refused(phantoms, "TOKEN_NOT_ALLOWED", token)
    assert ask(phantoms, names.SEEN_AUDIENCE)["status"] == 400
    # And is good again with it, as it has not ended.
    phantoms.reload(rules=policy(*EVERY))
    assert bring(phantoms, token)[0].status == 200


def test_placeholders_are_as_they_were(phantoms):
    _, proofs = bring(phantoms, gateways.PLACEHOLDER)
    assert proofs == [[f"alice {names.SEEN_AUDIENCE}"]]


GET = """
import json, sys, requests
url, token = sys.argv[1:]
answer = requests.get(url, headers={"Authorization": f"Bearer {token}"})
print(json.dumps([answer.status_code, answer.text]))
"""


def get(gates, host, token, **who):
    """Through an inspected tunnel: the status, the code of a refusal, and
    whose token the origin saw."""
    gates.lab.call("seen")
    done = gates.agent.python(GET, f"https://{host}/x", token, **who)
    assert done.code == 0, done
    status, text = json.loads(done.out)
    proofs = [n["authorization"] for n in gates.lab.call("seen")]
    return status, json.loads(text).get("code"), proofs


def test_an_inspected_tunnel_swaps_it_too(phantoms):
    token = take(phantoms, unit=UNIT)["access_token"]
    at = [names.SEEN, token]
    before = len(phantoms.agent.records())
    found = get(phantoms, *at, unit=UNIT)
    assert found == (200, None, [[f"alice {names.SEEN_AUDIENCE}"]])
    records = phantoms.agent.news(before)
    inner = [r for r in records if r["method"] == "GET"]
    assert [r["injected"]["identity"] for r in inner] == ["alice"] * 2
    assert get(phantoms, *at) == (403, "TOKEN_INVALID", [])
    found = get(phantoms, names.SCORE, token, unit=UNIT)
    assert found == (403, "TOKEN_AUDIENCE", [])
    revoke(phantoms)
    assert get(phantoms, *at, unit=UNIT) == (403, "TOKEN_INVALID", [])


VAULT = """
import sys
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
c = SecretClient(sys.argv[1], DefaultAzureCredential())
c.set_secret("phantom", "in-the-vault")
print(c.get_secret("phantom").value)
"""


# Its SDK sends a request without body and token first, to be told for what
# to get one. Whoever has no phantom to bring gets the token put in.
def test_a_vaults_client_is_told_what_to_bring(phantoms):
    agent = phantoms.agent
    before = len(agent.records())
    done = agent.python(VAULT, f"https://{names.VAULT}")
    assert done.out.strip() == "in-the-vault", done
    told = [r for r in agent.news(before) if r["code"] == "TOKEN_INVALID"]
    assert {(r["method"], r["status"]) for r in told} == {("PUT", 401)}
    assert {r["verdict"] for r in told} == {"deny"}
    phantoms.reload(rules=policy(names.SEEN_AUDIENCE))
    bare = f"https://{names.VAULT}/secrets/phantom?api-version=7.4"
    curl = ["curl", "-sS", bare]
    done = agent.lab.run_as("alice", curl, env=agent.environment())
    assert json.loads(done.out)["value"] == "in-the-vault", done
    phantoms.reload(rules=policy(*EVERY))


# All that comes back of it is how every token begins.
@pytest.mark.parametrize("piece", [1, 40, 100000])
def test_a_token_that_is_sent_back_does_not_arrive(phantoms, piece):
    agent = phantoms.agent
    before = len(agent.records())
    answer = phantoms.say(head(f"GET /echo/{piece}"))
    assert not re.search(r"eyJ[A-Za-z0-9_-]{14}", answer.text), answer
    assert not answer.text.endswith("0\r\n\r\n")
    (ended,) = agent.finals(before, path=f"/echo/{piece}")
    assert ended["code"] == "UPSTREAM_PROTOCOL"
    assert "sent back the credential" in agent.journal()
