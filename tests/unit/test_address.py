"""Addresses of servers: what is one, and that no message shows a password."""

import ssl

import pytest

from bananasd import BadAddress, ConnectionFailed
from bananasd.store.address import address_of
from bananasd.store.connection import Server


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://", "redis://localhost:6379"),
        ("redis://Host:7000/", "redis://host:7000/"),
        ("redis://:secret@host:7000/3", "redis://host:7000/3"),
        ("rediss://user:se%2Fcret@host?ssl_cert_reqs=none", "rediss://host:6379"),
        ("redis://host?password=secret&db=2", "redis://host:6379"),
        ("redis://[::1]:7000/0", "redis://[::1]:7000/0"),
        ("redis://[fe80::1%25eth0]", "redis://[fe80::1%25eth0]:6379"),
        ("redis://bücher.example", "redis://bücher.example:6379"),
        ("redis://:secret%0A@host", "redis://host:6379"),
        ("redis+sentinel://a,b:7000/jobs", "redis+sentinel://a:26379,b:7000/jobs"),
        ("redis+sentinel://:se%2Fc@a/my.jobs-1_x/3", "redis+sentinel://a:26379/my.jobs-1_x/3"),
        ("rediss+sentinel://a/jobs?sentinel_password=secret", "rediss+sentinel://a:26379/jobs"),
        (
            "redis+sentinel://a,[::1],[::2]:7000/jobs/",
            "redis+sentinel://a:26379,[::1]:26379,[::2]:7000/jobs/",
        ),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        ("unix:///tmp/with%20space/redis.sock", "unix:///tmp/with space/redis.sock"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(url, address):
    assert address_of(url) == address
    assert Server(url, 1).address == address


WRONG = {
    "secret@host:6379": "is no URL; it must begin with redis://, rediss://, unix://, "
    "redis+sentinel:// or rediss+sentinel://",
    ":secret@host:6379": "is no URL",
    "localhost:6379": "is no URL",
    "": "is no URL",
    "http://user:secret@host": "http://… is of no known kind; it must begin with",
    "REDIS://host": "REDIS://… is of no known kind",
    "redis://:se/cret@host": "must be written %2F, %3F, %23 and %40",
    "redis://:12/secret@host": "must be written %2F",
    "redis://:12?secret@host": "must be written %2F",
    "redis://:12#secret@host": "must be written %2F",
    "redis://host/secret": "must end with its port, or with /N",
    "redis://host:secret": "a port that is no number",
    "redis://host:99999": "a port that is no number",
    "redis://[::secret": "a host that cannot be one",
    "redis://secret\N{CARE OF}@host": "a host that cannot be one",
    "redis://a..b/0": "a host that cannot be one",
    "redis://a%2E%2Eb": "a host that cannot be one",
    "redis://ä..b": "a host that cannot be one",
    "redis://\udcff": "a host that cannot be one",
    f"redis://{64 * 'x'}/0": "a host that cannot be one",
    "redis://ho%00st": "a host that cannot be one",
    "redis://ho st": "a space or control character",
    "redis://host\0": "a space or control character",
    "redis://host?secret_option=1": "not a usable address",
    "rediss://host?ssl_cert_reqs=secret": "not a usable address",
    "redis://host?db=secret": "not a usable address",
    "unix:///run/a\x1b[31m.sock": "a space or control character",
    "unix:///run/a%0Ab.sock": "a control character",
    "redis+sentinel://": "must go on with Sentinels and the name of a service",
    "redis+sentinel:///jobs": "must go on with Sentinels and the name of a service",
    "redis+sentinel://host": "must go on with Sentinels and the name of a service",
    "redis+sentinel://host/": "must go on with Sentinels and the name of a service",
    "redis+sentinel://host/a b": "a space or control character",
    "redis+sentinel://host/jobs/secret": "may end with /N for the database N",
    "redis+sentinel://host/jobs#secret": "must go on with Sentinels and the name of a service",
    "redis+sentinel://:12/secret@host/jobs": "must be written %2F",
    "redis+sentinel://:12?secret@host/jobs": "must be written %2F",
    "redis+sentinel://a,b:secret/jobs": "redis+sentinel://… has a port that is no number",
    "redis+sentinel://a,b..c/jobs": "redis+sentinel://… has a host that cannot be one",
    "redis+sentinel://a,[::secret/jobs": "a host that cannot be one",
    "redis+sentinel://a/jobs?secret_option=1": "not a usable address",
    "redis+sentinel://a/jobs?sentinel_secret_option=1": "not a usable address",
    "redis+sentinel://::1/jobs": "has an IPv6 address without brackets: write [::1]:26379",
    "redis+sentinel://a,fe80::abc/jobs": "has an IPv6 address without brackets: write [fe80::abc]:26379",
    "redis+sentinel://::1:26379/jobs": "has an IPv6 address without brackets: write [::1]:26379",
    "redis+sentinel://fe80::1%25eth0:26380/jobs": "without brackets: write [fe80::1%25eth0]:26380",
    "redis://::1": "redis://… has an IPv6 address without brackets: write [::1]:6379",
    "redis://me:secret@2001:db8::1:6379/0": "without brackets: write [2001:db8::1]:6379",
    "redis://1:2:3": "a port that is no number",
    "sentinel://a/jobs": "is of no known kind",
    "unix://": "must go on with an absolute path",
    "unix://run/secret.sock": "must go on with an absolute path",
    "unix:///" + "x" * 107: "a socket path may have 107 bytes, this one has 108",
}


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_address_is_refused_with_the_reason(url):
    with pytest.raises(BadAddress) as caught:
        Server(url, 1)
    assert WRONG[url] in str(caught.value)


@pytest.mark.parametrize("url", [url for url in WRONG if "secret@" in url or "se/cret" in url])
def test_a_wrong_address_does_not_show_its_password(url):
    with pytest.raises(BadAddress) as caught:
        Server(url, 1)
    assert "cret" not in str(caught.value)


def test_an_address_that_cannot_be_right_is_a_failed_connection_to_those_who_make_no_difference():
    assert issubclass(BadAddress, ConnectionFailed)


@pytest.mark.parametrize("url", [5, b"redis://host", ["redis://host"]])
def test_an_address_is_text(url):
    with pytest.raises(BadAddress, match="the address is no text but of type"):
        Server(url, 1)


def test_a_server_does_not_show_its_password():
    assert "secret" not in repr(Server("redis://:secret@host", 1, "secret"))


def test_a_password_of_its_own_wins_over_that_of_the_url():
    assert Server("redis://:url@host", 1, "own").make_connection().password == "own"


USUAL = "db, username, password, client_name"
OF_SENTINELS = "sentinel_username, sentinel_password"


@pytest.mark.parametrize(
    ("url", "address", "option", "options"),
    [
        (
            "redis://:pw@h?passwort=x",
            "redis://h:6379",
            "passwort",
            f"{USUAL}, and those of TLS with rediss://",
        ),
        ("redis://h/0?db=1&passwort", "redis://h:6379/0", "passwort", USUAL),
        ("redis://h?ssl_cert_reqs=none", "redis://h:6379", "ssl_cert_reqs", USUAL),
        ("redis://h?connection_class=x", "redis://h:6379", "connection_class", USUAL),
        ("redis://h?a%0Ab=x", "redis://h:6379", r"a\nb", USUAL),
        ("rediss://h?sll_cert_reqs=none", "rediss://h:6379", "sll_cert_reqs", f"{USUAL}, ssl_keyfile, "),
        ("unix:///run/s?sentinel_password=x", "unix:///run/s", "sentinel_password", USUAL),
        (
            "redis+sentinel://:pw@a,b:7/jobs?passwort=x",
            "redis+sentinel://a:26379,b:7/jobs",
            "passwort",
            f"{USUAL}, {OF_SENTINELS}, and those of TLS with rediss+sentinel://",
        ),
        (
            "redis+sentinel://a/jobs?sentinel_passwort=x",
            "redis+sentinel://a:26379/jobs",
            "sentinel_passwort",
            USUAL,
        ),
        ("redis+sentinel://a/jobs?sentinel_db=1", "redis+sentinel://a:26379/jobs", "sentinel_db", USUAL),
    ],
)
def test_an_option_that_there_is_not_is_named_with_those_that_there_are(url, address, option, options):
    with pytest.raises(BadAddress) as caught:
        Server(url, 1)
    text = f"{address}: not a usable address: it has no option '{option}'; there are {options}"
    assert str(caught.value).startswith(text)


def test_what_may_be_the_rest_of_a_password_is_not_named():
    with pytest.raises(BadAddress, match="what follows its password is none of its options") as caught:
        Server("redis://h?password=se&cret=1", 1)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?max_connections=4&socket_keepalive=1&health_check_interval=30",
        "unix:///run/s?db=1&client_name=me",
        "rediss+sentinel://a/jobs?ssl_cert_reqs=none&sentinel_ssl_password=x&sentinel_username=me",
    ],
)
def test_options_that_other_programs_read_from_the_same_url_are_no_mistake(url):
    assert Server(url, 1)


@pytest.mark.parametrize(
    "option", ["decode_responses=1", "encoding=utf-16", "protocol=3", "socket_timeout=99"]
)
def test_options_of_the_url_do_not_change_how_we_speak(option):
    connection = Server(f"redis://host?{option}", 1).make_connection()
    assert (connection.encoder.decode_responses, connection.encoder.encoding) == (False, "utf-8")
    assert (connection.protocol, connection.socket_timeout) == (2, 1)


def test_server_and_sentinels_have_their_own_users_and_share_the_options_of_tls():
    server = Server(
        "rediss+sentinel://user:pass%2Fword@a,b:7000/jobs/3"
        "?ssl_cert_reqs=none&sentinel_username=watcher&sentinel_password=pass%20word",
        1,
    )
    of_server = server.make_connection()
    assert (of_server.username, of_server.password, of_server.db) == ("user", "pass/word", 3)
    of_sentinels = [sentinel.make_connection() for sentinel in server.sentinels()]
    assert [(each.host, each.port) for each in of_sentinels] == [("a", 26379), ("b", 7000)]
    assert {(each.username, each.password, each.db) for each in of_sentinels} == {("watcher", "pass word", 0)}
    assert {each.cert_reqs for each in [of_server, *of_sentinels]} == {ssl.CERT_NONE}


def test_sentinels_are_not_told_what_is_for_the_server():
    server = Server("redis+sentinel://a/jobs?username=user&password=secret&db=3", 1, "own")
    (sentinel,) = [sentinel.make_connection() for sentinel in server.sentinels()]
    assert (sentinel.username, sentinel.password, sentinel.db) == (None, None, 0)
    assert (server.make_connection().password, server.make_connection().db) == ("own", 3)
    assert server.service.name == "jobs"
    assert "secret" not in repr(server)
