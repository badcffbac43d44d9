"""What `sam deploy` makes does the main job: a client signs up, uploads, waits for `ready` and streams byte for byte."""

import json
import time
import uuid

from deployment import REPOSITORY

FILE = REPOSITORY / "tests/media/v_h264_aac_faststart.mp4"
PASSWORD = "correct horse battery staple"
READY_TIMEOUT_SECONDS = 120


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
