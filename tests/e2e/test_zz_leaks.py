"""After all of the rest: no piece of a token is anywhere it must not be."""


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


def test_no_token_in_journal_or_error_bodies(azure, agent, imds):
    imds("no_token")
    needles = azure.call("secrets")
    journal = agent.journal()
    assert not [n for n in needles if n in journal]
