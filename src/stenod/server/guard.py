"""Who may use the server: whoever knows its key, or everyone where it has none. Knows no socket and no dialect."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from pydantic import SecretStr

from stenod.errors import StenodError


class Unauthenticated(StenodError):
    """Nobody said who is calling, or with a key that is none."""

    code = "unauthenticated"

    def __init__(self, *, said: bool) -> None:
        super().__init__("Invalid API key" if said else "Authentication required")


class Guard:
    """Knows the key."""

    def __init__(self, key: SecretStr | None) -> None:
        self._key = None if key is None else key.get_secret_value().encode()

    @property
    def open(self) -> bool:
        """Whether everyone may come in."""
        return self._key is None

    def admits(self, credential: str | None) -> bool:
        """Whether this is the key; takes as long for any wrong one."""
        if self._key is None:
            return True
        return credential is not None and hmac.compare_digest(credential.encode(errors="surrogatepass"), self._key)

    def check(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether a handshake or request holds the key; False where it holds none at all. Raises Unauthenticated.

        It may be in the query as `token`, in the header `X-API-KEY`, or in `Authorization: Bearer`; one that is right is
        enough. Header names in lower case.
        """
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        found = [
            bearer.strip() if scheme.lower() == "bearer" else "",
            headers.get("x-api-key", ""),
            query.get("token", ""),
        ]
        if self.open or any(self.admits(credential) for credential in found if credential):
            return True
        if any(found):
            raise Unauthenticated(said=True)
        return False

    def demand(self, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """As `check`, where no other message will say who is calling. Raises Unauthenticated."""
        if not self.check(query, headers):
            raise Unauthenticated(said=False)
