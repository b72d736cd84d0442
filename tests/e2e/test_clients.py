"""wayleave env and run; the clients themselves are in clients/."""

import json

from lab import names, paths, zones


def test_run_gives_a_command_the_environment(agent):
    argv = ["run", "--", "curl", "-sS", "--cacert", str(paths.CA_FILE)]
    result = agent.cli(*argv, f"https://{zones.ROUTES['R3'][0]}/x")
    assert json.loads(result.out)["target"] == "/x"
    assert agent.cli("run", "--", "sh", "-c", "exit 7").code == 7


def test_the_users_no_proxy_is_merged(agent):
    env = {"NO_PROXY": f"corp.example,{names.ACCT1}"}
    result = agent.cli("env", "--shell", "json", env=env)
    merged = json.loads(result.out)["NO_PROXY"].split(",")
    assert {"corp.example", "127.0.0.1", "localhost"} <= set(merged)
    assert names.ACCT1 in result.err


def test_env_warns_of_what_the_policy_governs_and_of_nothing_else(agent):
    zone = zones.WEB.split(".", 1)[1]
    env = {"NO_PROXY": f"corp.example,.{zone},login.example"}
    result = agent.cli("env", "--shell", "json", env=env)
    assert f'".{zone}"' in result.err
    assert "corp.example" not in result.err
    assert "login.example" not in result.err
