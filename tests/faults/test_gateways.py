"""A gateway whose upstream or whose token fails: what test_origins.py asks of
plain HTTP holds through TLS, too."""

import pytest
import test_origins as plain

from lab import gateways, names, origin, paths

FAULTS = ["hang", "429"] if paths.FULL else ["429"]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_token_is_a_refusal_in_time(cold, fault):
    cold.lab.imds(fault, resource=gateways.COLD_AUDIENCE)
    cold.origin([["head"], ["send", plain.WHOLE]])
    seen = cold.client(["send", plain.once()], ["all"])
    assert "503 Denied CREDENTIAL_UNAVAILABLE id=" in seen["got"]
    assert seen["s"] < 7
    assert cold.lab.call("origin_told") == {"told": [], "open": 0}


@pytest.mark.parametrize("case", plain.RESETS)
def test_an_origin_that_goes_is_said(behind, case):
    plain.test_an_origin_that_goes_is_said(behind, case)


@pytest.mark.parametrize("case", plain.CUT)
def test_a_cut_answer_is_never_taken_for_a_whole_one(behind, case):
    plain.test_a_cut_answer_is_never_taken_for_a_whole_one(behind, case)


def test_an_end_without_a_word_is_a_cut(behind):
    """Plain HTTP has no other; TLS has close_notify."""
    said = plain.OK + "\r\nabc"
    behind.origin([["head"], ["send", said], ["close"]])
    seen = behind.client(["send", plain.request()], ["all"])
    assert plain.statuses(seen) == ["200"]
    assert seen["ended"] == "reset" or not seen["got"].endswith("0\r\n\r\n")
    assert behind.record(host=names.FAULTY)["code"] == "UPSTREAM_RESET"


CASES = {
    plain.test_a_bad_head_is_dropped_whole: plain.BAD,
    plain.test_a_flood_of_heads_is_cut: plain.FLOODS,
    plain.test_bad_chunks_are_cut: plain.BAD_CHUNKS,
}


@pytest.mark.parametrize(
    "test, case",
    [
        pytest.param(test, case, id=f"{test.__name__[5:]}-{case}")
        for test, cases in CASES.items()
        for case in (cases if paths.FULL else [*cases][:1])
    ],
)
def test_what_is_bad_is_dropped(behind, test, case):
    test(behind, case)


METHODS = ["GET", "POST"] if paths.FULL else ["GET"]
IDLE = plain.IDLE if paths.FULL else ["end", "bytes while idle"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", IDLE)
def test_an_idle_connection_that_went_wrong_serves_nobody(
    behind, case, method
):
    plain.test_an_idle_connection_that_went_wrong_serves_nobody(
        behind, case, method
    )


@pytest.mark.parametrize(
    "test",
    [
        plain.test_a_message_that_may_not_be_repeated_is_not,
        plain.test_a_get_is_tried_once_more_on_a_new_connection,
        plain.test_silence_is_answered_in_time,
        plain.test_a_slow_body_is_waited_for,
        plain.test_an_upload_that_is_refused_early_shows_the_answer,
        plain.test_an_upload_that_the_origin_breaks_ends,
    ],
    ids=lambda t: t.__name__[5:],
)
def test_a_gateway_keeps_to_it_too(behind, test):
    test(behind)


def test_a_handshake_has_its_deadline(faults, behind):
    faults.origin([["wait", 3], ["close"]])
    seen = behind.client(["send", plain.once()], ["all"])
    plain.refused(behind, seen, "TLS_FAILED", port=origin.BEHIND)
    late_s = seen["s"] - gateways.TLS_MS / 1000
    assert -0.3 < late_s < 1


def test_a_network_that_goes_dark_in_a_body_is_noticed(behind):
    behind.origin([["head"], ["send", plain.LENGTH + "abc"], ["wait", 9]])
    seen = behind.client(["send", plain.once()], ["all"])
    assert seen["s"] < 6
    assert behind.record(host=names.FAULTY)["close"] == "idle"
