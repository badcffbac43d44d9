"""botocore signs, the local stack verifies: many requests made at random, each as it is and with a change.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 signing.py [--requests 40] [--seed 1]

The stack runs already (`cargo local --ephemeral`). The bucket is `BUCKET`, else the stack's media bucket; what is
written to it is deleted again. The same seed makes the same requests. Fails with the first request that is answered
otherwise than S3 answers it.
"""

import argparse
import os
import random
import sys
import urllib.parse

import botocore.awsrequest
import botocore.config
import botocore.httpsession
import botocore.session
from botocore.exceptions import ClientError

# What keys and values are made of: letters, what has to be encoded, and what looks as if it were encoded already.
PIECES = [*"abcXYZ019", *"-_.~", *" +%&=?#;:@,!*'()[]{}|\\^`\"<>$", "%20", "%2F", "%zz", "//", "/", "é", "ü", "中", "😀", "ሴ"]
TAMPERED = "SignatureDoesNotMatch"


def random_text(chance, pieces, longest=40):
    return "".join(chance.choice(pieces) for _ in range(chance.randint(1, longest)))


def random_key(chance):
    """A key that no HTTP client takes for a path to be tidied up."""
    key = random_text(chance, PIECES)
    while {".", ".."} & set(key.split("/")):
        key = random_text(chance, PIECES)
    return f"signing/{key}"


def random_metadata(chance):
    printable = [chr(code) for code in range(0x21, 0x7F)] + [" ", "  ", "\t"]
    values = [random_text(chance, printable, chance.choice([10, 1_000])).strip() for _ in range(chance.randint(0, 2))]
    return {f"m{number}": value for number, value in enumerate(values)}


class Stack:
    def __init__(self):
        session = botocore.session.get_session()
        session.set_credentials(
            os.environ.get("AWS_ACCESS_KEY_ID", "local"),
            os.environ.get("AWS_SECRET_ACCESS_KEY", "local-secret"),
            os.environ.get("AWS_SESSION_TOKEN"),
        )
        self.s3 = session.create_client(
            "s3",
            endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            region_name=os.environ.get("AWS_REGION", "us-east-1"),
            config=botocore.config.Config(
                signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
            ),
        )
        self.http = botocore.httpsession.URLLib3Session()
        self.bucket = os.environ.get("BUCKET") or self.media_bucket()
        # What the next request is changed to after it was signed.
        self.change = None
        self.s3.meta.events.register_last("before-send.s3", self.before_send)

    def media_bucket(self):
        names = [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]
        return next(name for name in names if "-media-" in name)

    def before_send(self, request, **_):
        change, self.change = self.change, None
        if change:
            change(request)

    def refuses_when(self, change, operation, **parameters):
        """Sends a request that is changed after it was signed."""
        self.change = change
        try:
            getattr(self.s3, operation)(Bucket=self.bucket, **parameters)
        except ClientError as error:
            # An answer to HEAD has no body that could tell the code.
            code = error.response["Error"]["Code"]
            expect(code in (TAMPERED, "403"), f"a changed {operation} {parameters} is refused as {code}")
        else:
            fail(f"a changed {operation} {parameters} is accepted")

    def send(self, method, url, headers=None, body=b""):
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=headers or {}, data=body)
        return self.http.send(request.prepare())


def fail(message):
    sys.exit(f"signing.py: {message}")


def expect(condition, message):
    if not condition:
        fail(message)


def with_another_end(text):
    """The text with its last character changed."""
    return text[:-1] + ("1" if text[-1] == "0" else "0")


def change_path(request):
    request.url = request.url.replace("/signing/", "/signinG/", 1)


def change_query(request):
    request.url += "&more=" if "?" in request.url else "?more="


def change_header(request):
    time = request.headers["x-amz-date"].decode()
    request.headers["x-amz-date"] = with_another_end(time.removesuffix("Z")) + "Z"


def change_signature(request):
    request.headers["Authorization"] = with_another_end(request.headers["Authorization"].decode())


def signed_in_headers(stack, chance):
    key, body = random_key(chance), chance.randbytes(chance.choice([0, 1, 5_000]))
    metadata = random_metadata(chance)
    stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=body, Metadata=metadata)
    answer = stack.s3.get_object(Bucket=stack.bucket, Key=key)
    expect(answer["Body"].read() == body, f"{key!r} comes back")
    listed = stack.s3.list_objects_v2(
        Bucket=stack.bucket, Prefix=key, Delimiter=chance.choice(["", "/", " +"]), EncodingType="url"
    )
    expect(listed["KeyCount"] == 1, f"{key!r} is listed")
    copy = random_key(chance)
    stack.s3.copy_object(Bucket=stack.bucket, Key=copy, CopySource={"Bucket": stack.bucket, "Key": key})
    for change in (change_path, change_query, change_header, change_signature):
        stack.refuses_when(change, chance.choice(["get_object", "head_object", "delete_object"]), Key=key)
    for written in {key, copy}:
        stack.s3.delete_object(Bucket=stack.bucket, Key=written)


def signed_in_query(stack, chance):
    key, body = random_key(chance), chance.randbytes(chance.randint(0, 2_000))
    presign = stack.s3.generate_presigned_url
    parameters = {"Bucket": stack.bucket, "Key": key}
    put = presign("put_object", Params={**parameters, "ContentType": "video/mp4", "ContentLength": len(body)})
    answer = stack.send("PUT", put, {"Content-Type": "video/mp4", "Content-Length": str(len(body))}, body)
    expect(answer.status_code == 200, f"a presigned PUT of {key!r}: {answer.content[:500]}")
    answer = stack.send("PUT", put, {"Content-Type": "text/html", "Content-Length": str(len(body))}, body)
    expect(TAMPERED.encode() in answer.content, f"a presigned PUT of another type: {answer.content[:500]}")
    overrides = {"ResponseContentType": "x/y", "ResponseContentDisposition": f"inline; a={random_text(chance, PIECES[:38])}"}
    get = presign("get_object", Params={**parameters, **chance.choice([{}, overrides])})
    answer = stack.send("GET", get)
    expect(answer.status_code == 200 and answer.content == body, f"a presigned GET of {key!r}: {answer.content[:500]}")
    head = presign("head_object", Params=parameters)
    expect(stack.send("HEAD", head).status_code == 200, f"a presigned HEAD of {key!r}")
    expect(stack.send("HEAD", get).status_code == 403, "the method is signed")
    place, query = get.split("?", 1)
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    chance.shuffle(pairs)
    shuffled = f"{place}?{urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, safe='')}"
    expect(stack.send("GET", shuffled).status_code == 200, "the order of parameters is not signed")
    for changed in (get + "&more=", get.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"), with_another_end(get)):
        answer = stack.send("GET", changed)
        expect(TAMPERED.encode() in answer.content, f"{changed} is answered {answer.content[:500]}")
    stack.s3.delete_object(Bucket=stack.bucket, Key=key)


def signed_form(stack, chance):
    # S3 is known to fail on forms whose key has `$$`.
    key, body = random_key(chance).replace("$", ""), chance.randbytes(chance.randint(0, 2_000))
    fields = {"Content-Type": "video/mp4", "success_action_status": "201"}
    conditions = [{name: value} for name, value in fields.items()] + [["content-length-range", 0, 2_000]]
    post = stack.s3.generate_presigned_post(stack.bucket, key, Fields=fields, Conditions=conditions)
    answer = stack.send("POST", post["url"], *form(post["fields"], body))
    expect(answer.status_code == 201, f"a form of {key!r}: {answer.content[:500]}")
    stored = stack.s3.get_object(Bucket=stack.bucket, Key=key)
    expect(stored["Body"].read() == body and stored["ContentType"] == "video/mp4", f"{key!r} comes back")
    for name, status in (("x-amz-signature", 403), ("policy", 403), ("key", 403), ("Content-Type", 403)):
        changed = {**post["fields"], name: with_another_end(post["fields"][name])}
        answer = stack.send("POST", post["url"], *form(changed, body))
        expect(answer.status_code == status, f"a form with another {name}: {answer.content[:500]}")
    answer = stack.send("POST", post["url"], *form(post["fields"], body + bytes(2_001)))
    expect(b"EntityTooLarge" in answer.content, f"a form that is too large: {answer.content[:500]}")
    stack.s3.delete_object(Bucket=stack.bucket, Key=key)


def form(fields, file):
    boundary = "----8f6b3c1d5e"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = "".join([*parts, head]).encode() + file + f"\r\n--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=40, help="rounds of each kind")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    chance, stack = random.Random(options.seed), Stack()
    for _ in range(options.requests):
        for check in (signed_in_headers, signed_in_query, signed_form):
            check(stack, chance)
    print(f"signing.py: {options.requests} rounds, seed {options.seed}: all answered as S3 does")


if __name__ == "__main__":
    main()
