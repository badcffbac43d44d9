"""The platform's own signed URLs, verified by an implementation that no one here wrote.

The platform runs as it is deployed with a CDN. What `GET /media/{id}/stream-url` answers is taken apart here: the policy is
the one that botocore would have signed, and `cryptography` verifies its signature with the public key that CloudFront tells
for its `Key-Pair-Id`.
"""

import base64
import json
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aws import Aws
from cloudfront_signers import at
from stack import REPOSITORY, LocalStack

FILE = REPOSITORY / "tests/media/v_h264_aac_faststart.mp4"
READY_SECONDS = 30


def decode(text: str) -> bytes:
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)


class Platform:
    """One person with one video."""

    def __init__(self, stack: LocalStack):
        self.aws = Aws(stack.url)
        self._api_url = stack.api_url
        person = {"email": "ada@example.com", "password": "correct horse battery staple"}
        self._token = None
        self.call("POST", "/auth/signup", person)
        self._token = self.call("POST", "/auth/login", person)["access_token"]
        self.media_id = self._upload()

    def call(self, method, path, body=None):
        headers = {"content-type": "application/json"} if body else {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        answer = self.aws.send(method, self._api_url + path, headers, json.dumps(body) if body else None)
        assert answer.status < 300, answer
        return json.loads(answer.body)

    def _upload(self) -> str:
        content = FILE.read_bytes()
        announced = {"title": "A film", "filename": "film.mp4", "content_type": "video/mp4"}
        created = self.call("POST", "/media", {**announced, "size_bytes": len(content), "upload_method": "put"})
        upload = created["upload"]
        sent = self.aws.send(upload.get("method", "PUT"), upload["url"], upload["headers"], content)
        assert sent.status == 200, sent
        media_id = created["media"]["id"]
        deadline = time.monotonic() + READY_SECONDS
        while self.call("GET", f"/media/{media_id}")["status"] != "ready":
            assert time.monotonic() < deadline, "the media does not become ready"
            time.sleep(0.1)
        return media_id

    def signed_url(self, **query) -> str:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.call("GET", f"/media/{self.media_id}/stream-url?{parameters}")["signed_url"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    data = tmp_path_factory.mktemp("platform") / "data"
    with LocalStack(REPOSITORY / "template.yaml", data, CdnEnabled="true") as stack:
        yield Platform(stack)


@pytest.mark.parametrize("query", [{}, {"download": "1"}, {"ip": "127.0.0.0/8"}, {"expires_in": "86400"}])
def test_a_signed_url_is_what_botocore_would_sign(platform, query):
    url = platform.signed_url(**query)
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    own = {"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    kept = "&".join(one for one in parts.query.split("&") if one.partition("=")[0] not in own)
    resource = f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{kept}" if kept else "")
    if "Policy" in parameters:
        policy = decode(parameters["Policy"])
        condition = json.loads(policy)["Statement"][0]["Condition"]
        expires = condition["DateLessThan"]["AWS:EpochTime"]
    else:
        expires, policy = int(parameters["Expires"]), None
    expected = CloudFrontSigner(None, None).build_policy(resource, at(expires), ip_address=query.get("ip")).encode()
    assert policy in (None, expected)
    assert (policy is not None) == ("ip" in query)
    assert abs(expires - time.time() - int(query.get("expires_in", 3600))) < 60

    cloudfront = platform.aws.client("cloudfront")
    found = cloudfront.get_public_key(Id=parameters["Key-Pair-Id"])["PublicKey"]["PublicKeyConfig"]
    public_key = serialization.load_pem_public_key(found["EncodedKey"].encode())
    assert parameters["Hash-Algorithm"] == "SHA256"
    signature = decode(parameters["Signature"])
    public_key.verify(signature, expected, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key.verify(signature, expected + b" ", ec.ECDSA(hashes.SHA256()))

    answer = platform.aws.send("GET", url, {"Range": "bytes=4-11"})
    assert (answer.status, answer.body) == (206, FILE.read_bytes()[4:12])
    assert platform.aws.send("GET", url.replace(platform.media_id, "0" * 36)).status == 403
