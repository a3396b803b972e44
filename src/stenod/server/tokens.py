"""Resume tokens: what a client shows when it comes back, signed so that any server with the same secret believes it.

A token is `claim.signature`, both base64url; the claim is JSON. It says which session it was and how much of its audio was
acknowledged, so that a server that does not know the session can still say from where to send again.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256

LONGEST = 512
"""Characters of a token that are looked at."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says."""

    session: str
    acked: int
    """Samples of the client's audio, per channel, that it need not send again."""
    rate: int
    """Samples per second of it."""


class Tokens:
    """Signs and reads tokens. Without a secret one is made up, and nobody else believes this server's tokens."""

    def __init__(self, secret: str | None = None) -> None:
        self._key = (secret or secrets.token_hex(32)).encode()

    def issue(self, claim: Claim) -> str:
        """The token that says `claim`."""
        body = urlsafe_b64encode(json.dumps([claim.session, claim.acked, claim.rate]).encode()).rstrip(b"=")
        return f"{body.decode()}.{self._sign(body)}"

    def read(self, token: str) -> Claim | None:
        """What `token` says; None where it is not one of ours."""
        body, _, signature = token[:LONGEST].partition(".")
        if not hmac.compare_digest(self._sign(body.encode()).encode(), signature.encode()):
            return None
        try:
            session, acked, rate = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (Base64Error, ValueError, TypeError):
            return None
        return Claim(str(session), int(acked), int(rate))

    def _sign(self, body: bytes) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, body, sha256)[:16]).rstrip(b"=").decode()
