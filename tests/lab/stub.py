"""What the stubs of Azure's services share: the token check, refusals."""

from urllib.parse import parse_qs, urlsplit

from . import tokens, web


class Stub(web.Handler):
    """A service whose open paths need no token; refuses as Azure does."""

    authority = None
    host = None
    open_paths = ()
    state = None

    def _serve(self):
        data = self.body()
        parts = urlsplit(self.path)
        who = None
        if parts.path not in self.open_paths:
            try:
                who = self.authority.check(
                    self.headers.get("Authorization"), self.host
                )
            except tokens.Refused as e:
                self.refuse(e)
                return
        self.answer(parts.path, parse_qs(parts.query), data, who)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve

    def refuse(self, e):
        error = {"error": {"code": e.code, "message": str(e)}}
        self.reply(e.status, error)

    def not_found(self):
        self.reply(404, {"error": {"code": "NotFound", "message": "no"}})
