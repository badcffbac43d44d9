"""What requests are made on: people of every role, and media, uploads and accounts that paths can name.

Everything is made over HTTP, as a frontend would. What an operation uses up (a media that is deleted, an upload that is
completed) is made afresh for each request, so that the next one finds something too.
"""

import itertools
import time
import uuid
from pathlib import Path

import requests

MEDIA = Path(__file__).resolve().parents[1] / "media"
PASSWORD = "correct horse battery staple"
ADMIN_EMAIL = "admin@example.com"
ROLES = ["nobody", "viewer", "operator", "admin"]
PATIENCE_SECONDS = 60


class Person:
    """Somebody with a token, or nobody."""

    def __init__(self, api, token=None):
        self._api, self._session, self.token = api, requests.Session(), token
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def logged_in(cls, api, email, password):
        credentials = {"email": email, "password": password}
        return cls(api, cls(api).ask("POST", "/auth/login", 200, json=credentials)["access_token"])

    def ask(self, method, path, status, **body):
        """The JSON of an answer that has to have this status."""
        answer = self._session.request(method, self._api + path, timeout=PATIENCE_SECONDS, **body)
        if answer.status_code != status:
            raise RuntimeError(f"{method} {path}: {answer.status_code}, not {status}: {answer.text}")
        return answer.json() if answer.content else None


class World:
    """The people by role, and what there is. `made` is how another process made it, which this one is to go on with."""

    def __init__(self, api, made=None):
        self._api = api
        self._session = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self.people = {}
        if made is None:
            self._make()
        else:
            self.people = {role: Person(api, token) for role, token in made["tokens"].items()}
            self.media = made["media"]

    def made(self):
        """What another process needs to go on with this world."""
        return {"tokens": {role: person.token for role, person in self.people.items()}, "media": self.media}

    def _make(self):
        self.people["nobody"] = Person(self._api)
        self.people["admin"] = Person.logged_in(self._api, ADMIN_EMAIL, PASSWORD)
        for role in ("viewer", "operator"):
            self.people[role] = Person.logged_in(self._api, self._account(role)["email"], PASSWORD)
        self.media = self._ready_media()

    @property
    def owner(self):
        """To whom the media and the uploads belong."""
        return self.people["operator"]

    def user_id(self):
        """The id of an account of its own."""
        return self._account("viewer")["id"]

    def media_id(self):
        """The id of a media of the operator's that awaits its file."""
        return self._announce()["media"]["id"]

    def upload_id(self, method="multipart"):
        """The id of an upload of the operator's that has begun."""
        return self._announce(upload_method=method)["upload"]["upload_id"]

    def thumbnail_key(self):
        """The key in the URL of the ready media's thumbnail."""
        return self.media["thumbnail_url"].rpartition("/")[2]

    def stream_token(self):
        """A token that the ready media can be played with."""
        urls = self.owner.ask("GET", f"/media/{self.media['id']}/stream-url", 200)
        return urls["stream_url"].rpartition("token=")[2]

    def _account(self, role):
        email = f"{role}-{self._session}-{next(self._numbers)}@example.com"
        account = {"email": email, "password": PASSWORD, "role": role}
        return self.people["admin"].ask("POST", "/users", 201, json=account)

    def _announce(self, **more):
        file = {"filename": "clip.mp4", "content_type": "video/mp4", "size_bytes": 6_000_000}
        title = f"Clip {next(self._numbers)}"
        return self.owner.ask("POST", "/media", 201, json={"title": title, **file, **more})

    def _ready_media(self):
        """A media that can be played, with a thumbnail."""
        files = {
            "file": ("clip.mp4", (MEDIA / "v_h264_aac_faststart.mp4").read_bytes(), "video/mp4"),
            "miniature": ("8x6.png", (MEDIA.parent / "integration/images/8x6.png").read_bytes(), "image/png"),
        }
        created = self.owner.ask("POST", "/media", 201, files=files, data={"title": "A clip"})
        path = f"/media/{created['media']['id']}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            media = self.owner.ask("GET", path, 200)
            if media["status"] == "ready" and media["thumbnail_url"]:
                return media
            if time.monotonic() > deadline:
                raise RuntimeError(f"still not ready: {media}")
            time.sleep(0.05)
