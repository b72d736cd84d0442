"""What was started with the first test and is done by now."""


def test_adlfs_is_refused(agent, patient):
    code, text = patient.end()
    assert code == 1, text
    ids = {
        r["id"]
        for r in agent.records()
        if r.get("host") == patient.host and r["verdict"] == "deny"
    }
    assert "PUBLIC_ADDRESS" in text and any(i in text for i in ids), text
