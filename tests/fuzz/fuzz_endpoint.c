/* A broker request: no head gets past the checks with half of its proof. */
#include "identity/endpoint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct endpoint_listener proxy = { .imds_only = true };
	struct endpoint_listener broker = { .port = 3181 };
	const void *p = data;
	struct slice head = { .p = p, .n = size };
	struct endpoint_request out;
	struct endpoint_error error = { .status = 0 };
	struct http1_error bad;
	struct http1_request r;

	if (http1_parse_request(head, &r, &bad) != OK ||
	    addr_parse(SLICE("127.0.0.1"), &broker.addr) != OK)
		return 0;
	if (endpoint_classify(&r, &proxy, &out, &error) == OK &&
	    out.shape != ENDPOINT_IMDS)
		abort();
	if (endpoint_classify(&r, &broker, &out, &error) != OK) {
		if (error.status < 400 || error.description == NULL)
			abort();
		return 0;
	}
	if (out.resource[0] == '\0' ||
	    (out.shape == ENDPOINT_APP_SERVICE) !=
	        (out.proof == ENDPOINT_PROOF_HEADER) ||
	    http1_field_find(&r.fields, "Origin", 0) < r.fields.n)
		abort();
	/* Borrowed from the head, not from what is gone by now. */
	if (out.proof != ENDPOINT_PROOF_NONE &&
	    (out.proof_value.p < head.p ||
	        out.proof_value.p + out.proof_value.n > head.p + head.n))
		abort();
	return 0;
}
