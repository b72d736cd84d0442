"""Tokens as Entra ID signs them, and the check that each service does."""

import secrets
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from . import names

ISSUER = f"https://sts.windows.net/{names.TENANT}/"


class Refused(Exception):
    """The bearer token is not good enough; args: status, code, message."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status = status
        self.code = code


class Authority:
    """Signs and checks; remembers all it signed, for the canary scan."""

    def __init__(self):
        self._key = rsa.generate_private_key(
            public_exponent=65537, key_size=2048
        )
        self._lock = threading.Lock()
        self.canary = "CANARY" + secrets.token_hex(16)
        self.minted = []

    def mint(self, identity, resource, life_s):
        """Return (token, expires_on) for one of names.PRINCIPALS."""
        now = int(time.time())
        expires_on = now + life_s
        who = names.PRINCIPALS[identity]
        claims = {
            "aud": resource,
            "iss": ISSUER,
            "iat": now - 5,
            "nbf": now - 5,
            "exp": expires_on,
            "tid": names.TENANT,
            "oid": who["object_id"],
            "sub": who["object_id"],
            "appid": who["client_id"],
            "idtyp": "app",
            "ver": "1.0",
            "xms_mirid": who["mi_res_id"] or "/system",
            "canary": self.canary,
            "uti": secrets.token_urlsafe(12),
        }
        token = jwt.encode(
            claims, self._key, algorithm="RS256", headers={"kid": "lab-1"}
        )
        with self._lock:
            self.minted.append(token)
        return token, expires_on

    def check(self, header, host):
        """The identity that an Authorization field proves to a host."""
        if not header or not header.lower().startswith("bearer "):
            raise Refused(401, "NoAuthenticationInformation", "no bearer")
        try:
            claims = jwt.decode(
                header[7:].strip(),
                self._key.public_key(),
                algorithms=["RS256"],
                audience=_both(names.AUDIENCES[host]),
                issuer=ISSUER,
                options={"require": ["exp", "aud", "iss", "oid", "tid"]},
            )
        except jwt.InvalidTokenError as e:
            raise Refused(401, "InvalidAuthenticationInfo", str(e)) from e
        for name, ids in names.PRINCIPALS.items():
            if ids["object_id"] == claims["oid"]:
                if name in names.ROLES[host]:
                    return name
                raise Refused(
                    403,
                    "AuthorizationPermissionMismatch",
                    f"{name} has no role on {host}",
                )
        raise Refused(401, "InvalidAuthenticationInfo", "unknown oid")


def _both(audiences):
    bare = {a.rstrip("/") for a in audiences}
    return sorted(bare | {a + "/" for a in bare if "://" in a})
