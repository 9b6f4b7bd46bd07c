"""How many connections the dashboard has, as docs/operations.md tells it."""

from bananasd import Client


def connections(server):
    told = server.call("INFO", "clients").decode()
    return int(told.partition("connected_clients:")[2].split()[0])


def test_it_has_one_for_lists_one_for_metrics_and_one_for_what_a_client_does(make_site, own_server):
    with Client(own_server.url) as client:
        job_id = client.submit_job("a", {})
    before = connections(own_server)
    site = make_site(own_server.url)
    for paths, wanted in (
        (("/readyz", "/api/lanes/default/normal", "/api/scheduled", "/api/dead"), 1),
        (("/metrics", "/metrics"), 2),
        ((f"/api/jobs/{job_id}", "/api/schedules"), 3),
    ):
        for path in paths:
            assert site.http.get(path).status_code in (200, 503)
        assert connections(own_server) - before == wanted
    assert site.post(f"/api/jobs/{job_id}/cancel", {}).json() == {"changed": True}
    assert connections(own_server) - before == 3
