/* What the policy is shown of a message, beside its destination. */
#include "proxy/forward_conn.h"

#include "policy/target.h"

#include <stdlib.h>

struct seen {
	struct policy_target target;
	char text[]; /**< what it borrows */
};

/* The path is that of the request line as it goes out. */
enum status
forward_see(struct forward *f, const struct forward_request *r)
{
	struct slice head = buf_slice(&f->x.head);
	struct slice target = slice_from(head, f->x.line.path_at);
	const struct policy_plain plain = {
		.method = slice_head(head, f->x.line.method_bytes),
		.path = slice_head(target, f->x.line.path_bytes),
		.query = r->uri.query,
		.fields = &r->http.fields,
		.no_coded_slash = !r->secure,
	};
	struct seen *s = malloc(sizeof *s + policy_target_bytes(&plain));

	if (s == NULL)
		return E_NOMEM;
	policy_target_read(&plain, s->text, &s->target);
	f->x.target = &s->target;
	return OK;
}
