"""How many connections the dashboard has, as docs/operations.md tells it."""

from bananasd import Client
from tests.conftest import wait_until


def wait_for(server, wanted):
    """Until so many are open, and one to ask: of one that was closed the server hears later."""
    counts = []

    def are_so_many():
        told = server.call("INFO", "clients").decode()
        counts.append(int(told.partition("connected_clients:")[2].split()[0]) - 1)
        return counts[-1] == wanted

    try:
        wait_until(are_so_many)
    except AssertionError:
        raise AssertionError(f"there are {counts[-1]}, not {wanted}") from None


def test_it_has_one_for_lists_one_for_metrics_and_one_for_what_a_client_does(make_site, own_server):
    with Client(own_server.url) as client:
        job_id = client.submit_job("a", {})
    wait_for(own_server, 0)
    site = make_site(own_server.url)
    # Two who ask at a time have two.
    assert site.dashboard.live.has_begun.wait(15)
    for paths, wanted in (
        (("/readyz", "/api/lanes/default/normal", "/api/scheduled", "/api/dead"), 1),
        (("/metrics", "/metrics"), 2),
        ((f"/api/jobs/{job_id}", "/api/schedules"), 3),
    ):
        for path in paths:
            assert site.http.get(path).status_code in (200, 503)
        wait_for(own_server, wanted)
    assert site.post(f"/api/jobs/{job_id}/cancel", {}).json() == {"changed": True}
    wait_for(own_server, 3)
