"""S3: uploads by HTML form, with the policies that botocore signs.

"Browser-Based Uploads Using POST", https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html;
"POST Object", https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from aws import VERSIONED, refused
from checksums import sha256

BODY = b"hello world"
FILE = ("file", ("film.mp4", BODY, "video/mp4"))


class Form:
    """A signed form that has not been sent."""

    def __init__(self, aws, key, fields=None, conditions=None, credentials=None, **more):
        self.aws = aws
        client = aws.client("s3", credentials) if credentials else aws.client("s3")
        signed = client.generate_presigned_post(VERSIONED, key, fields, conditions, **more)
        self.url, self.fields = signed["url"], signed["fields"]

    def send(self, file=FILE, more=(), without=(), **headers):
        """Sends it, with `more` fields before the file, and `without` others."""
        fields = [(name, value) for name, value in {**self.fields, **dict(more)}.items() if name not in without]
        return self.aws.send_form(self.url, [*fields, *([file] if file else [])], **headers)


@pytest.fixture
def form(aws, unique):
    def form(fields=None, conditions=None, key=f"forms/{unique}", **more):
        return Form(aws, key, fields, conditions, **more)

    return form


@pytest.fixture
def stored(s3, unique):
    return lambda key=f"forms/{unique}": s3.get_object(Bucket=VERSIONED, Key=key)


class TestAnswers:
    """RESTObjectPOST.html, success_action_status and success_action_redirect"""

    def test_204_with_the_objects_names(self, form, stored, unique):
        answer = form().send()
        assert (answer.status, answer.body) == (204, b"")
        got = stored()
        assert (got["Body"].read(), got["VersionId"]) == (BODY, answer.headers["x-amz-version-id"])
        assert answer.headers["etag"] == got["ETag"]
        assert unquote(answer.headers["location"]).endswith(f"/{VERSIONED}/forms/{unique}")

    def test_200(self, form):
        answer = form({"success_action_status": "200"}, [{"success_action_status": "200"}]).send()
        assert (answer.status, answer.body) == (200, b"")

    def test_201_with_xml(self, form, stored, unique):
        answer = form({"success_action_status": "201"}, [{"success_action_status": "201"}]).send()
        assert answer.status == 201 and b"<PostResponse" in answer.body
        assert (answer.element("Bucket"), answer.element("Key")) == (VERSIONED, f"forms/{unique}")
        assert answer.element("ETag") == stored()["ETag"] and answer.element("Location")

    @pytest.mark.parametrize("status", ["404", "nonsense"])
    def test_any_other_status_is_204(self, form, status):
        answer = form({"success_action_status": status}, [{"success_action_status": status}]).send()
        assert (answer.status, answer.body) == (204, b"")

    def test_a_redirect_carries_what_was_stored(self, form, stored, unique):
        to = "https://app.example.com/done?a=b"
        answer = form({"success_action_redirect": to}, [["eq", "$success_action_redirect", to]]).send()
        assert answer.status == 303
        location = urlsplit(answer.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == "https://app.example.com/done"
        query = parse_qs(location.query)
        assert (query["a"], query["bucket"], query["key"]) == (["b"], [VERSIONED], [f"forms/{unique}"])
        assert query["etag"] == [stored()["ETag"]]

    def test_cors(self, form):
        answer = form().send(Origin="https://app.example.com")
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        refused_too = form().send(without=["policy"], Origin="https://app.example.com")
        assert refused_too.status >= 400
        assert refused_too.headers["access-control-allow-origin"] == "https://app.example.com"


class TestFields:
    """"Creating an HTML Form (Using AWS Signature Version 4)",
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html"""

    def test_the_objects_headers_and_metadata(self, form, stored):
        fields = {
            "Content-Type": "video/mp4",
            "Cache-Control": "no-store",
            "Content-Disposition": "inline",
            "x-amz-meta-title": "A film",
        }
        assert form(fields, [{name: value} for name, value in fields.items()]).send().status == 204
        got = stored()
        assert (got["ContentType"], got["CacheControl"], got["ContentDisposition"]) == ("video/mp4", "no-store", "inline")
        assert got["Metadata"] == {"title": "A film"}

    def test_the_type_of_the_file_part_is_not_the_objects(self, form, stored):
        assert form().send().status == 204
        assert stored()["ContentType"] == "binary/octet-stream"

    def test_the_files_name_in_the_key(self, aws, unique, stored):
        prefix = f"forms/{unique}/"
        form = Form(aws, prefix + "${filename}", None, [["starts-with", "$key", prefix]])
        for sent, kept in (("film.mp4", "film.mp4"), (r"C:\films\a b.mp4", "a b.mp4"), ("/tmp/é.mp4", "é.mp4")):
            assert form.send(("file", (sent, BODY))).status == 204
            assert stored(prefix + kept)["Body"].read() == BODY

    def test_what_comes_after_the_file_is_ignored(self, aws, form, stored):
        one = form()
        fields = [*one.fields.items(), FILE, ("x-amz-meta-late", "1")]
        assert aws.send_form(one.url, fields).status == 204
        assert stored()["Metadata"] == {}

    def test_names_of_fields_in_any_case(self, form, stored):
        """POST policy: conditions and fields, https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html"""
        one = form({"Content-Type": "video/mp4"}, [["StArTs-WiTh", "$CONTENT-TYPE", "video/"]])
        one.fields["CoNtEnT-tYpE"] = one.fields.pop("Content-Type")
        assert one.send().status == 204
        assert stored()["ContentType"] == "video/mp4"

    def test_a_checksum(self, form):
        right = {"x-amz-checksum-sha256": sha256(BODY)}
        assert form(right, [right]).send().status == 204
        wrong = {"x-amz-checksum-sha256": sha256(b"other")}
        answer = form(wrong, [wrong]).send()
        assert (answer.status, answer.code) == (400, "BadDigest")

    def test_no_file_or_two(self, aws, form, s3, unique):
        one = form()
        for files in ([], [FILE, FILE]):
            answer = aws.send_form(one.url, [*one.fields.items(), *files])
            assert answer.status == 400 and answer.code in ("InvalidArgument", "IncorrectNumberOfFilesInPostRequest")
        with refused("404", 404):
            s3.head_object(Bucket=VERSIONED, Key=f"forms/{unique}")

    def test_no_key(self, form):
        answer = form().send(without=["key"])
        assert (answer.status, answer.code) == (400, "InvalidArgument")

    def test_a_body_that_is_no_form(self, aws, form):
        one = form()
        answer = aws.send("POST", one.url, {"Content-Type": "multipart/form-data; boundary=x"}, b"no form at all")
        assert answer.status == 400 and answer.code in ("MalformedPOSTRequest", "InvalidArgument")
        answer = aws.send("POST", one.url, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b")
        assert answer.status in (400, 403, 405, 412, 501)

    def test_the_boundary_inside_the_file(self, aws, form, stored):
        one = form()
        tricky = b"--x\r\n--boundary\r\n\r\n--boundary-\r\nend\r\n"
        fields = [*one.fields.items(), ("file", ("a", tricky))]
        assert aws.send_form(one.url, fields, boundary="boundary-of-the-form").status == 204
        assert stored()["Body"].read() == tricky


class TestPolicy:
    """"POST Policy", https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html"""

    def denied(self, answer):
        assert (answer.status, answer.code) == (403, "AccessDenied"), answer
        assert answer.message.startswith("Invalid according to Policy: "), answer.message

    def test_every_field_needs_a_condition(self, form):
        answer = form().send(more={"x-amz-meta-extra": "1"})
        self.denied(answer)
        assert answer.message == "Invalid according to Policy: Extra input fields: x-amz-meta-extra"
        self.denied(form().send(more={"Content-Type": "video/mp4"}))

    def test_but_x_ignore(self, form):
        assert form().send(more={"x-ignore-anything": "1"}).status == 204

    @pytest.mark.parametrize(
        "condition, value, passes",
        [
            ({"x-amz-meta-a": "one"}, "one", True),
            ({"x-amz-meta-a": "one"}, "two", False),
            ({"x-amz-meta-a": "one"}, "ONE", False),
            (["eq", "$x-amz-meta-a", "one"], "one", True),
            (["eq", "$x-amz-meta-a", "one"], "one more", False),
            (["starts-with", "$x-amz-meta-a", "one"], "one more", True),
            (["starts-with", "$x-amz-meta-a", "one"], "two", False),
            (["starts-with", "$x-amz-meta-a", ""], "anything", True),
        ],
    )
    def test_matching(self, form, condition, value, passes):
        answer = form({"x-amz-meta-a": value}, [condition]).send()
        if passes:
            assert answer.status == 204, answer
        else:
            self.denied(answer)
            assert "Policy Condition failed" in answer.message

    def test_a_list_of_content_types_starts_each(self, form):
        """Condition Matching: for Content-Type, a comma-separated list is checked value by value."""
        condition = [["starts-with", "$Content-Type", "image/"]]
        assert form({"Content-Type": "image/jpg,image/png"}, condition).send().status == 204
        self.denied(form({"Content-Type": "image/jpg,text/html"}, condition).send())

    def test_a_condition_whose_field_is_missing(self, form):
        self.denied(form({}, [{"x-amz-meta-a": "one"}]).send())

    def test_the_key(self, form):
        self.denied(form().send(more={"key": "forms/other"}))

    def test_the_bucket(self, aws, form, s3, unique):
        one = form()
        answer = aws.send_form(one.url.replace(VERSIONED, "conformance-plain"), [*one.fields.items(), FILE])
        self.denied(answer)
        with refused("404", 404):
            s3.head_object(Bucket="conformance-plain", Key=f"forms/{unique}")

    @pytest.mark.parametrize(
        "least, most, outcome",
        [
            (11, 11, 204),
            (0, 11, 204),
            (0, 10, "EntityTooLarge"),
            (12, 20, "EntityTooSmall"),
        ],
    )
    def test_the_length(self, form, s3, unique, least, most, outcome):
        answer = form(None, [["content-length-range", least, most]]).send()
        if outcome == 204:
            assert answer.status == 204
        else:
            assert (answer.status, answer.code) == (400, outcome)
            with refused("404", 404):
                s3.head_object(Bucket=VERSIONED, Key=f"forms/{unique}")

    def test_expired(self, form):
        earlier = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(hours=2)
        with patch("botocore.signers.get_current_datetime", return_value=earlier):
            expired = form()
        answer = expired.send()
        self.denied(answer)
        assert answer.message == "Invalid according to Policy: Policy expired."

    def signed(self, one, policy: bytes):
        """The form with another policy, of the same date, signed again."""
        key = b"AWS4local-secret"
        for part in one.fields["x-amz-credential"].split("/")[1:]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        one.fields["policy"] = base64.b64encode(policy).decode()
        one.fields["x-amz-signature"] = hmac.new(key, one.fields["policy"].encode(), hashlib.sha256).hexdigest()
        return one

    @pytest.mark.parametrize(
        "policy",
        [
            b"no json",
            b"[]",
            b"{}",
            b'{"expiration": "2040-01-01T00:00:00Z"}',
            b'{"conditions": []}',
            b'{"expiration": "tomorrow", "conditions": []}',
            b'{"expiration": "2040-01-01T00:00:00Z", "conditions": [["like", "$key", "a"]]}',
            b'{"expiration": "2040-01-01T00:00:00Z", "conditions": [["content-length-range", 1]]}',
            b'{"expiration": "2040-01-01T00:00:00Z", "conditions": [{"a": "b", "c": "d"}]}',
            b'{"expiration": "2040-01-01T00:00:00Z", "conditions": [{}]}',
        ],
    )
    def test_a_policy_that_is_none(self, form, policy):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, InvalidPolicyDocument"""
        answer = self.signed(form(), policy).send()
        assert (answer.status, answer.code) == (400, "InvalidPolicyDocument"), answer

    def test_escapes(self, form):
        """POST policy, Character Escaping: a dollar sign is written with a backslash."""
        one = form()
        policy = json.loads(base64.b64decode(one.fields["policy"]))
        policy["conditions"].append({"x-amz-meta-price": "PLACEHOLDER"})
        text = json.dumps(policy).replace("PLACEHOLDER", r"\$5")
        assert self.signed(one, text.encode()).send(more={"x-amz-meta-price": "$5"}).status == 204


class TestSignature:
    """"Calculating a Signature", https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html"""

    def test_tampered(self, form):
        wider = base64.b64encode(b'{"expiration": "2040-01-01T00:00:00Z", "conditions": []}').decode()
        for name, value in (("x-amz-signature", "0" * 64), ("policy", wider)):
            answer = form().send(more={name: value})
            assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch"), name
        # Another date is neither that of the policy nor that of the credential.
        assert form().send(more={"x-amz-date": "20200101T000000Z"}).status in (400, 403)

    def test_unknown_key(self, form):
        one = form()
        scope = one.fields["x-amz-credential"].split("/", 1)[1]
        answer = one.send(more={"x-amz-credential": f"AKIAIOSFODNN7EXAMPLE/{scope}"})
        assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")

    @pytest.mark.parametrize("field", ["x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm"])
    def test_incomplete(self, form, field):
        answer = form().send(without=[field])
        assert answer.status in (400, 403) and answer.code in ("InvalidArgument", "AccessDenied"), answer

    def test_nobody(self, aws, form, unique):
        answer = aws.send_form(form().url, [("key", f"forms/{unique}"), FILE])
        assert (answer.status, answer.code) == (403, "AccessDenied")

    def test_with_a_temporary_key(self, aws, unique, s3):
        session = aws.assume("upload")
        key = f"uploads/{unique}"
        assert Form(aws, key, credentials=session).send().status == 204
        stripped = Form(aws, f"{key}-2", credentials=session).send(without=["x-amz-security-token"])
        assert stripped.status == 403
        outside = Form(aws, f"elsewhere/{unique}", credentials=session).send()
        assert (outside.status, outside.code) == (403, "AccessDenied")
        assert s3.list_objects_v2(Bucket=VERSIONED, Prefix=f"elsewhere/{unique}")["KeyCount"] == 0
