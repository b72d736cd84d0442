"""Entra ID's token endpoint and GitHub's OIDC provider: a workflow's proof of
itself is exchanged for tokens of an application that trusts it."""

import secrets
import threading
import time
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from . import names, web

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
EXCHANGE = "api://AzureADTokenExchange"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class GitHub:
    """Signs what a workflow's job may say of itself."""

    def __init__(self):
        self._key = rsa.generate_private_key(
            public_exponent=65537, key_size=2048
        )
        self._lock = threading.Lock()
        self._jobs = {}

    def start_job(self, subject):
        """The two variables that the runner gives a job."""
        ident, word = secrets.token_hex(8), secrets.token_urlsafe(32)
        with self._lock:
            self._jobs[ident] = (word, subject)
        url = f"https://{names.GITHUB_OIDC}/{ident}/idtoken?api-version=2.0"
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": word,
        }

    def token(self, ident, word, audience):
        """The job's ID token; None if it is not the job that asks."""
        known, subject = self._jobs.get(ident, (None, None))
        if known is None or not secrets.compare_digest(known, word):
            return None
        now = int(time.time())
        claims = {
            "iss": GITHUB_ISSUER,
            "aud": audience,
            "sub": subject,
            "iat": now - 5,
            "nbf": now - 5,
            "exp": now + 300,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm="RS256")

    def subject(self, assertion):
        """Whom an ID token names; raises jwt.InvalidTokenError."""
        claims = jwt.decode(
            assertion,
            self._key.public_key(),
            algorithms=["RS256"],
            audience=EXCHANGE,
            issuer=GITHUB_ISSUER,
            options={"require": ["exp", "aud", "iss", "sub"]},
        )
        return claims["sub"]


class Provider(web.Handler):
    """What a job asks for its ID token."""

    github = None

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        pieces = parts.path.strip("/").split("/")
        word = self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = None
        if len(pieces) == 2 and pieces[1] == "idtoken":
            token = self.github.token(pieces[0], word, query.get("audience"))
        if token is None:
            self.reply(401, {"message": "not this job's"})
            return
        self.reply(200, {"value": token})


class Entra(web.Handler):
    """login.microsoftonline.com, as far as a federated application goes."""

    authority = None
    github = None

    def do_GET(self):
        """The page says which tenants it was told to let in."""
        told = [
            [name.lower(), value]
            for name, value in self.headers.items()
            if "restrict" in name.lower()
        ]
        self.reply(200, {"page": "sign in", "told": sorted(told)})

    def do_POST(self):
        form = {k: v[0] for k, v in parse_qs(self.body().decode()).items()}
        pieces = urlsplit(self.path).path.strip("/").split("/")
        if pieces[-1:] != ["token"] or pieces[:1] != [names.TENANT]:
            self.deny("AADSTS90002: Tenant not found.")
            return
        for name, app in names.APPS.items():
            if app["client_id"] == form.get("client_id"):
                self._exchange(name, app, form)
                return
        self.deny("AADSTS700016: Application was not found in the directory.")

    def deny(self, text):
        error = {"error": "invalid_client", "error_description": text}
        self.reply(401 if "AADSTS7" in text else 400, error)

    def _exchange(self, name, app, form):
        """Version 1 names a resource, version 2 a scope."""
        right = form.get("client_assertion_type") == BEARER
        if not right or form.get("grant_type") != "client_credentials":
            self.deny("AADSTS7000218: The request must contain an assertion.")
            return
        try:
            subject = self.github.subject(form.get("client_assertion", ""))
        except jwt.InvalidTokenError as e:
            self.deny(f"AADSTS700027: The assertion is not valid: {e}")
            return
        if subject not in app["subjects"]:
            self.deny(
                "AADSTS700213: No matching federated identity record found "
                f"for presented assertion subject '{subject}'."
            )
            return
        resource = form.get("resource")
        if resource is None:
            resource = form.get("scope", "").removesuffix("/.default")
        token, _ = self.authority.mint(name, resource, 3600)
        told = {"token_type": "Bearer", "expires_in": 3599}
        self.reply(200, {**told, "access_token": token})


def handlers(authority, github):
    """Public address -> what answers there."""
    login = {"authority": authority, "github": github}
    return {
        names.PUBLIC_LOGIN: type("Entra", (Entra,), login),
        names.PUBLIC_GITHUB: type("Provider", (Provider,), {"github": github}),
    }
