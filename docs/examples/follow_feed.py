"""A partner system that follows the feed of Bina; standard library only.

Run: BINA=https://partner.bina.example CLIENT=... SECRET=... python follow_feed.py
It keeps its copy and its position in copy.json, and may be stopped and started at any time.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ADDRESS = os.environ["BINA"]
COPY = Path(os.environ.get("COPY", "copy.json"))
_token = {"value": "", "until": 0.0}


def sign_in():
    """Get an access token with the secret of the client; it lives five minutes."""
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["CLIENT"],
        "client_secret": os.environ["SECRET"],
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{ADDRESS}/v1/oauth/token", body) as answer:
        found = json.load(answer)
    _token.update(value=found["access_token"], until=time.time() + found["expires_in"] - 30)


def get(path, **query):
    """Return the body of a GET; wait and repeat when Bina asks for it (429, 503)."""
    url = f"{ADDRESS}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    while True:
        if time.time() > _token["until"]:
            sign_in()
        request = urllib.request.Request(
            url, headers={"authorization": f"Bearer {_token['value']}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(int(error.headers.get("retry-after", 5)))


def apply(item, people):
    """Put what an item points to into our copy; without a link we must forget the subject."""
    key = f"{item['subject']['kind']}/{item['subject']['ref']}"
    people.pop(key, None)
    if item["href"] is None:
        return
    try:
        people[key] = get(item["href"])
    except urllib.error.HTTPError as error:
        if error.code != 404:  # the consent ended meanwhile; a later item says so too
            raise


def read_snapshot(people):
    """Build the copy from nothing; return the position from which the feed continues."""
    page = get("/v1/snapshot")
    while True:
        for item in page["items"]:
            apply(item, people)
        if page["feed_cursor"]:
            return page["feed_cursor"]
        page = get("/v1/snapshot", cursor=page["next_cursor"])


def main(rounds):
    """Follow the feed; each round waits up to 20 seconds for something new."""
    state = json.loads(COPY.read_text()) if COPY.exists() else {"people": {}, "after": None}
    for _ in range(rounds):
        if state["after"] is None:
            state["people"] = {}
            state["after"] = read_snapshot(state["people"])
        try:
            page = get("/v1/feed", after=state["after"], wait=20)
        except urllib.error.HTTPError as error:
            if error.code != 410:
                raise
            state["after"] = None  # too old a position: begin with a snapshot
            continue
        for item in page["items"]:
            apply(item, state["people"])
        state["after"] = page["next_cursor"]
        COPY.write_text(json.dumps(state))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
