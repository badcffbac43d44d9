"""Clients of botocore for one endpoint, requests that botocore signs and we send, and what refusals look like."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.etree import ElementTree

import botocore.session
import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
VERSIONED, PLAIN, CLOSED = "conformance-versioned", "conformance-plain", "conformance-closed"
TABLE = "conformance"

OPERATOR = Credentials("local", "local-secret")


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role/conformance-{name}"


@dataclass
class Answer:
    """An answer to a request that was sent without a client."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def code(self) -> str | None:
        """The `<Code>` of an XML error."""
        return self.element("Code")

    @property
    def message(self) -> str | None:
        return self.element("Message")

    def element(self, name: str) -> str | None:
        if not self.body.startswith(b"<"):
            return None
        return ElementTree.fromstring(self.body).findtext(f".//{{*}}{name}")


@dataclass
class Aws:
    """One endpoint, for whoever has credentials."""

    url: str
    session: botocore.session.Session = field(default_factory=botocore.session.get_session)
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=64, retries=False))

    def client(self, service: str, credentials=OPERATOR, **config):
        """A client that tries once and sends what it is told to."""
        return self.session.create_client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                signature_version="s3v4" if service == "s3" else None,
                inject_host_prefix=False,
                max_pool_connections=64,
                **config,
            ),
        )

    def assume(self, name: str, credentials=OPERATOR, session_name="upload-session", **more) -> Credentials:
        """Credentials of a session of one of the template's roles."""
        sts = self.client("sts", credentials)
        answer = sts.assume_role(RoleArn=role_arn(name), RoleSessionName=session_name, **more)["Credentials"]
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])

    def send(self, method: str, url: str, headers=None, body=None) -> Answer:
        """Sends a request as it is."""
        if url.startswith("/"):
            url = self.url + url
        response = self.http.request(method, url, headers=headers, body=body, redirect=False)
        return Answer(response.status, response.headers, response.data)

    def send_form(self, url: str, fields, boundary: str | None = None, **headers) -> Answer:
        """Sends `multipart/form-data`: pairs of name and value, a file's value being (filename, bytes[, type])."""
        body, content_type = urllib3.encode_multipart_formdata(fields, boundary)
        return self.send("POST", url, {"Content-Type": content_type, **headers}, body)

    def signed(self, method: str, path: str, headers=None, body=b"", credentials=OPERATOR, trailer=False) -> AWSRequest:
        """An S3 request with botocore's signature in its headers, to be sent as it is or tampered with."""
        request = AWSRequest(method, self.url + path, headers=headers or {}, data=body)
        if trailer:
            request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
        return request

    def send_signed(self, method: str, path: str, headers=None, body=b"", **options) -> Answer:
        request = self.signed(method, path, headers, body, **options)
        return self.send(method, request.url, dict(request.headers), body)


@contextmanager
def refused(code: str, status: int | None = None):
    """Expects a refusal with this code, and this HTTP status. Yields a dictionary that becomes the parsed answer."""
    answer = {}
    with pytest.raises(ClientError) as raised:
        yield answer
    answer.update(raised.value.response)
    found = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
    assert found == (code, status if status is not None else found[1]), answer
