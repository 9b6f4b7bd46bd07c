"""The doctor beside real daemons: with the embedded server, without it, and after a node was lost."""

import json

from tests.command_line import bananasd
from tests.conftest import wait_until
from tests.daemon import QUICK


def checks(daemon):
    """What is told, by check, each with its level; the exit code."""
    result = bananasd("doctor", "--json", "--config", daemon.config)
    told = json.loads(result.stdout)["checks"]
    return [(check["check"], check["level"], check["what"]) for check in told], result


def level(daemon, check):
    return {level for name, level, _ in checks(daemon)[0] if name == check}


def is_well(daemon):
    told, result = checks(daemon)
    return result.exit_code == 0 and {(check, level) for check, level, _ in told} >= {
        ("server", "ok"), ("persistence", "ok"), ("clock", "ok"), ("nodes", "ok"), ("lanes", "ok")
    }  # fmt: skip


def test_a_daemon_with_a_server_of_its_own_is_well_until_that_is_gone(make_daemon):
    daemon = make_daemon().start()
    wait_until(lambda: is_well(daemon))
    assert daemon.stop() == 0
    told, result = checks(daemon)
    assert (result.exit_code, [check for check, _, _ in told]) == (69, ["server"])
    assert "(the embedded server runs while 'bananasd start' does)" in told[0][2]


def test_a_node_that_was_lost_with_its_jobs_is_told_until_another_has_taken_them_over(
    make_daemon, own_server, tmp_path
):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(tmp_path / "go")})
        daemon.worker_of(job_id)
        node = daemon.node.node
        daemon.kill_all()
        wait_until(
            lambda: any("1 of its jobs wait to be taken over" in what for _, _, what in checks(daemon)[0])
        )
        text = bananasd("doctor", "--config", daemon.config).stdout
        assert f"node {node}" in " ".join(text.split())
        other = make_daemon(redis_url=own_server.url, settings={"workers": QUICK["workers"]}).start()
        wait_until(lambda: level(other, "nodes") == {"ok"})
        (tmp_path / "go").touch()
        client.wait(job_id, 10)
