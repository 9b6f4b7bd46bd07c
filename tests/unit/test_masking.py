"""What of a text is hidden because it may be the secret of a URL, and what stays readable."""

import re
import string
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bananasd.masking import mask_error, mask_url

MARK = "5ecret"
"""No mask, and none of the texts around it, has that in it."""

WITHOUT_SPACES = st.text(st.characters(exclude_categories=["Z", "C"]))
SCHEMES = st.sampled_from(["redis", "rediss", "unix", "redis+sentinel", "postgresql+psycopg", "amqp", "https", "HTTP", "wss"])  # fmt: skip
SECRET_NAMES = [
    "key", "sig", "auth", "pwd", "pass", "code", "token", "secret", "password", "access_token", "id-token", "api_key", "apikey",
    "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Credential", "AWSAccessKeyId", "client_secret", "sessionid", "user[password]",
    "ssl_keyfile_password", "sentinel_password", "AccountKey", "authorization", "otp", "PASSWD",
]  # fmt: skip
HARMLESS_NAMES = [
    "db",
    "page",
    "q",
    "author",
    "monkey",
    "keyword",
    "status_code",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "compass",
    "sign",
]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # Users and passwords, of any kind of URL.
        ("redis://:pw@h:6379/0", "redis://***@h:6379/0"),
        ("rediss://user:pw@h", "rediss://***@h"),
        ("REDIS://user:pw@h", "REDIS://***@h"),
        ("redis+sentinel://user:pw@h:26379,h2:26379/s", "redis+sentinel://***@h:26379,h2:26379/s"),
        ("unix://user:pw@/run/r.sock", "unix://***@/run/r.sock"),
        ("postgresql+psycopg://ann:pw@db/shop", "postgresql+psycopg://***@db/shop"),
        # Either may be the secret, and the only one.
        ("https://ghp_t0ken@github.com/o/r.git", "https://***@github.com/o/r.git"),
        ("https://t0ken:x-oauth-basic@github.com", "https://***@github.com"),
        ("https://k3y:@api.example.org/v1", "https://***@api.example.org/v1"),
        ("redis://user@h", "redis://***@h"),
        # What nobody has escaped.
        ("redis://user:p@s/s:w?rd\"'#@h/0", "redis://***@h/0"),
        ("redis://user:12/34@h", "redis://***@h"),
        ("amqp://:p@w@h:5672//", "amqp://***@h:5672//"),
        ("mysql://ann:p/w@h/shop", "mysql://***@h/shop"),
        ("https://ann:p?w@h/x", "https://***@h/x"),
        ("https://ann:p#w@h/x", "https://***@h/x"),
        ("redis://ann:a&key=b@h/0", "redis://***@"),
        # Options.
        ("unix:///run/r.sock?password=pw&db=1", "unix:///run/r.sock?password=***&db=1"),
        ("unix:///run/r.sock?db=1&password=p@w", "unix:///run/r.sock?db=1&password=***@"),
        ("redis://h:6379/0?password=p@w", "redis://***@"),
        ("redis://u:pw@h/0?sentinel_password=pw&db=1", "redis://***@h/0?sentinel_password=***&db=1"),
        (
            "https://h/?page=2&access_token=t0p&api_key=k3y#x",
            "https://h/?page=2&access_token=***&api_key=***",
        ),
        ("https://h/cb?code=c0de&state=1", "https://h/cb?code=***&state=1"),
        ("https://h/cb#access_token=t0p&expires_in=60", "https://h/cb#access_token=***&expires_in=60"),
        ("https://h.blob.example.org/c?sv=2024&sig=abc%3D", "https://h.blob.example.org/c?sv=2024&sig=***"),
        ("jdbc:sqlserver://h:1433;user=sa;password=pw", "jdbc:sqlserver://h:1433;user=sa;password=***"),
        ("GET /login?user=ann&pwd=pw HTTP/1.1", "GET /login?user=ann&pwd=*** HTTP/1.1"),
        # More than one.
        ("no answer from redis://:pw@a, redis://:pw@b!", "no answer from redis://***@a, redis://***@b!"),
        ("https://example.org:80/@ann and redis://:pw@h", "https://example.org:80/@ann and redis://***@h"),
        ("https://h/login?next=redis://:pw@h/0", "https://h/login?next=redis://***@h/0"),
        ("https://h/?url=https://x/?token=abc", "https://h/?url=https://x/?token=***"),
    ],
)
def test_what_may_be_a_secret_is_masked(text, wanted):
    assert mask_url(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis://h:6379/0",
        "redis://[::1]:6379/0?db=0",
        "unix:///run/bananasd/redis.sock?db=1",
        "rediss://h?ssl_keyfile=/etc/our.key&ssl_cert_reqs=none",
        "https://h/?page=2&q=a+b#top",
        "https://medium.example/@ann/post and https://h:8580/@scope/pkg@1.2",
        "https://[::1]:8580/@x",
        "https://h/a:b@c",
        "https://h?email=ann@example.org",
        "file:///home/ann@work/x",
        "mailto:ann@example.org?subject=hello",
        "write to ann@example.org, or bob@example.org; it is 10:30:00",
        "user:pw@h",
        "/srv/handlers/mail.py:12: KeyError: 'token'",
        "job failed id=1 name=send key=value code=3",
        "what? code=5; key=6",
        "a = b if c == d else e",
    ],
)
def test_the_harmless_stays_readable(text):
    assert mask_url(text) == text


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_options_that_only_look_like_secrets_stay(name):
    assert mask_url(f"https://h/?a=1&{name}=value") == f"https://h/?a=1&{name}=value"


@given(
    scheme=SCHEMES,
    user=st.text(string.ascii_letters + string.digits + "._-%+@:"),
    password=WITHOUT_SPACES,
    rest=WITHOUT_SPACES,
)
def test_no_password_without_spaces_survives_whatever_stands_in_it(scheme, user, password, rest):
    for url in (
        f"{scheme}://{user}:{MARK}{password}@h{rest}",
        f"{scheme}://{user}:a{password}{MARK}@h{rest}",
    ):
        assert MARK not in mask_url(f"to {url} now")


@given(scheme=SCHEMES, secret=WITHOUT_SPACES)
def test_no_user_survives_who_may_be_a_token(scheme, secret):
    assert MARK not in mask_url(f"to {scheme}://{quote(secret, safe='')}{MARK}@h/path?db=0")


@pytest.mark.parametrize("name", SECRET_NAMES)
@settings(max_examples=20)
@given(
    sign=st.sampled_from("?&#;"),
    before=st.text(string.ascii_letters + "/=?&#:@."),
    secret=st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="&")),
)
def test_no_value_of_an_option_survives_whose_name_says_secret(name, sign, before, secret):
    masked = mask_url(f"at https://h/{before}{sign}{name}={secret}{MARK}{secret}&db=0 now")
    assert MARK not in masked
    assert masked.endswith("&db=0 now")


@given(st.text())
def test_what_is_masked_can_be_masked_again(text):
    once = mask_url(f"redis://u:{text}@h?key={text}&{text}")
    assert mask_url(once) == once


@given(st.text(st.characters(exclude_characters="?&#;")))
def test_without_urls_and_options_nothing_changes(text):
    text = text.replace("://", "")
    assert mask_url(text) == text


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("ValueError: redis://u:s3cret@h/0", "ValueError: redis://***@h/0"),
        ("…s3cret@h/0\nValueError: no@w", "…***@h/0\nValueError: no@w"),
        ("…xxx\nValueError: no", "…xxx\nValueError: no"),
        ("", ""),
    ],
)
def test_an_error_that_was_cut_within_a_url_does_not_begin_with_its_password(error, shown):
    assert mask_error(error) == shown


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("before", "behind"), [("", ""), ("redis://:", "@"), ("?", "="), ("https://", "@x=")]
)
@pytest.mark.parametrize(
    "part",
    ["redis://a:", "redis", "redis+", "://", "://a:b", "://[:]", "://a@ ", "http://a:80/", "a ", "@", "?password=", "?a", "?", "&a=",
     "&key=", "password", "?token", "=", "é"],
)  # fmt: skip
def test_any_text_takes_time_in_proportion_to_its_length(part, before, behind):
    text = before + part * (200_000 // len(part)) + behind
    began = time.process_time()
    mask_url(text)
    # A second for a megabyte. What looks twice takes minutes.
    assert time.process_time() - began < 0.5


def test_every_name_that_the_page_on_security_gives_is_one():
    page = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    (names,) = re.findall(r"whose name says so:(.*?)\(`bananasd/masking\.py`\)", page, re.DOTALL)
    for name in re.findall(r"`(\w+)`", names):
        assert mask_url(f"https://h/?{name}=value") == f"https://h/?{name}=***", name
