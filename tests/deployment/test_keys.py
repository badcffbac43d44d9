"""Signing keys are rotated as the README says, and nobody notices."""

from deployment import read_me
from test_deployment import expect, new_account


def kids(deployment) -> list[str]:
    """The ids of the public keys that are published."""
    return [key["kid"] for key in expect(deployment.request("GET", "/.well-known/jwks.json"), 200)["keys"]]


def test_a_rotation_logs_nobody_out(deployment):
    account = new_account()
    expect(deployment.request("POST", "/auth/signup", json=account), 201)
    token = expect(deployment.request("POST", "/auth/login", json=account), 200)["access_token"]
    before = kids(deployment)
    [rotate] = read_me("Keys")
    deployment.shell.run(rotate, answers="y\n")
    after = kids(deployment)
    assert set(before) & set(after) and set(after) - set(before), (before, after)
    expect(deployment.request("GET", "/users/me", token), 200)
    expect(deployment.request("POST", "/auth/login", json=account), 200)
