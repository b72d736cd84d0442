"""After all of the rest: no piece of a token is anywhere it must not be."""

import pytest


def test_a_planted_token_is_found(azure):
    token = azure.call("mint", resource="https://planted.example")
    azure.write("/run/wayleave-lab/state/planted.txt", f"x{token}x")
    assert azure.call("leaks") == ["/run/wayleave-lab/state/planted.txt"]
    azure.write("/run/wayleave-lab/state/planted.txt", "")


def test_no_token_in_files_environments_or_command_lines(azure, agent):
    code = "import azure.identity as a; print(len(a.DefaultAzureCredential()"
    code += ".get_token('https://storage.azure.com/.default').token) > 500)"
    assert agent.python(code).out.strip() == "True"
    assert azure.call("leaks") == []


@pytest.mark.parametrize("fault", ["expired", "truncated", "no_token"])
def test_no_token_in_journal_or_error_bodies(azure, agent, imds, fault):
    """The platform's bad answer holds a token; ours must not."""
    imds(fault)
    url = "http://127.0.0.1:3181/metadata/identity/oauth2/token"
    url += "?api-version=2018-02-01"
    url += f"&resource=https://fault-{fault}.lab.example"
    argv = ["curl", "-sSi", "-m", "20", "-H", "Metadata: true", url]
    answer = azure.run_as("alice", argv).out
    assert " 503 " in answer.splitlines()[0]
    needles = azure.call("secrets")
    assert not [n for n in needles if n in answer + agent.journal()]
