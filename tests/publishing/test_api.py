from __future__ import annotations

import pytest

from model.errors import UsageError
from publishing.api import Api


@pytest.mark.parametrize("url", ["https://api.github.com", "https://ghe.example:8443/api/v3/", "http://127.0.0.1:80"])
def test_where_the_interface_lies_is_taken_as_the_runner_says(url: str) -> None:
    assert Api.at(url).address("user") == url.rstrip("/") + "/user"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.github.com",
        "ftp://api.github.com",
        "https://user:secret@api.github.com",
        "https://api.github.com?x",
        "https://api.github.com#x",
        "https://api.github.com/../x",
        "https://api.github.com\n",
        "https://api.github.com\\@evil.example",
    ],
)
def test_what_is_no_address_of_an_interface_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Api.at(url)
    assert "secret" not in f"{caught.value} {caught.value.remedy}"
