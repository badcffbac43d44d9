"""What `sam deploy` makes does the main job: a client signs up, uploads, waits for `ready` and streams byte for byte.

And it is within the limits of CloudFormation and IAM, and shuts its functions in.
"""

import json
import time
import uuid

from deployment import REPOSITORY, read_me

FILE = REPOSITORY / "tests/media/v_h264_aac_faststart.mp4"
PASSWORD = "correct horse battery staple"
READY_TIMEOUT_SECONDS = 120

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
TEMPLATE_RESOURCES_LIMIT = 500
TEMPLATE_LIMIT_BYTES = 1_000_000
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters, white space not counted.
INLINE_POLICIES_LIMIT = 10_240


def expect(answer, *statuses: int):
    """The answer's JSON, if its status is one of these."""
    assert answer.status in statuses, (answer.status, answer.data)
    return json.loads(answer.data) if answer.data else None


def new_account() -> dict:
    return {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}


def test_a_client_uploads_and_streams(deployment):
    account = new_account()
    expect(deployment.request("POST", "/auth/signup", json=account), 201)
    token = expect(deployment.request("POST", "/auth/login", json=account), 200)["access_token"]

    content = FILE.read_bytes()
    announcement = {
        "title": "A film",
        "filename": FILE.name,
        "content_type": "video/mp4",
        "size_bytes": len(content),
        "upload_method": "put",
    }
    created = expect(deployment.request("POST", "/media", token, json=announcement), 201)
    upload, media_id = created["upload"], created["media"]["id"]
    expect(deployment.request(upload["method"], upload["url"], headers=upload["headers"], body=content), 200)

    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while (media := expect(deployment.request("GET", f"/media/{media_id}", token), 200))["status"] != "ready":
        assert media["status"] != "rejected" and time.monotonic() < deadline, media
        time.sleep(0.2)
    assert media["metadata"]["video"][0]["codec"] == "h264", media

    urls = expect(deployment.request("GET", f"/media/{media_id}/stream-url", token), 200)
    redirection = deployment.request("GET", urls["stream_url"])
    assert redirection.status == 302, redirection.data
    whole = deployment.request("GET", redirection.headers["Location"])
    assert (whole.status, whole.data) == (200, content)
    part = deployment.request("GET", redirection.headers["Location"], headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.data) == (206, content[1000:2000])


def test_an_operator_makes_the_first_admin(deployment):
    block = read_me("Deploy")[1]
    assert "FunctionError" not in deployment.shell.run(block)
    account = next(json.loads(line) for line in block.splitlines() if line.startswith("{"))
    token = expect(deployment.request("POST", "/auth/login", json=account), 200)["access_token"]
    assert expect(deployment.request("GET", "/users", token), 200)["items"], "an admin sees the users"


def test_an_operator_has_the_sweep_run_at_once(deployment):
    [block] = read_me("A stuck upload, or deletion")
    assert '"settled"' in deployment.shell.run(block)


def test_the_template_is_within_the_limits(deployment):
    template = deployment.template
    assert len(template["Resources"]) < TEMPLATE_RESOURCES_LIMIT
    assert len(json.dumps(template)) < TEMPLATE_LIMIT_BYTES
    iam = deployment.emulator.client("iam")
    roles = [role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    assert roles
    for role in roles:
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
        size = sum(len(json.dumps(document, separators=(",", ":"))) for document in documents)
        assert size <= INLINE_POLICIES_LIMIT, (role, size)


def test_every_function_is_bounded(deployment):
    resources = deployment.template["Resources"].values()
    functions = [resource for resource in resources if resource["Type"] == "AWS::Lambda::Function"]
    assert functions
    for function in functions:
        role = deployment.template["Resources"][function["Properties"]["Role"]["Fn::GetAtt"][0]]
        assert role["Properties"]["PermissionsBoundary"] == {"Ref": "FunctionPermissionsBoundary"}, function
