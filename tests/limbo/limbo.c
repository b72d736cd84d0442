/* Has our verifier judge the server cases of a limbo.json (C2SP/x509-limbo),
 * by the same rules and the same function as a handshake does. */
#include "proxy/tls_verify.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

/* A case as OpenSSL wants it. */
struct chain {
	X509 *leaf;
	X509_STORE *trusted;
	STACK_OF(X509) * others;
};

enum verdict { ACCEPTED, REFUSED, SKIPPED };

struct count {
	unsigned as_expected, false_accepts, false_rejects, skipped, surprises;
};

static X509 *
read_certificate(const json_t *pem)
{
	const char *text = json_string_value(pem);
	BIO *bio = text == NULL ? NULL : BIO_new_mem_buf(text, -1);
	X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return x;
}

/* What cannot be read is not there, as in a handshake. */
static bool
chain_read(const json_t *c, struct chain *out)
{
	size_t i;
	json_t *pem;

	out->leaf = read_certificate(json_object_get(c, "peer_certificate"));
	out->trusted = X509_STORE_new();
	out->others = sk_X509_new_null();
	if (out->leaf == NULL || out->trusted == NULL || out->others == NULL)
		return false;
	json_array_foreach(json_object_get(c, "trusted_certs"), i, pem) {
		X509 *x = read_certificate(pem);

		if (x != NULL)
			(void)X509_STORE_add_cert(out->trusted, x);
		X509_free(x);
	}
	json_array_foreach(
	    json_object_get(c, "untrusted_intermediates"), i, pem) {
		X509 *x = read_certificate(pem);

		if (x != NULL && sk_X509_push(out->others, x) == 0)
			X509_free(x);
	}
	return true;
}

static void
chain_free(struct chain *c)
{
	X509_free(c->leaf);
	X509_STORE_free(c->trusted);
	sk_X509_pop_free(c->others, X509_free);
}

static void
set_time(X509_VERIFY_PARAM *param, const char *iso)
{
	struct tm tm = { .tm_isdst = 0 };

	if (iso != NULL && strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) != NULL)
		X509_VERIFY_PARAM_set_time(param, timegm(&tm));
}

/* Purpose and trust as an SSL of a client has them, then what we ask for. */
static bool
is_accepted(const json_t *c, const struct chain *chain, const char *host)
{
	const json_t *depth = json_object_get(c, "max_chain_depth");
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	bool ok = false;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(
	        ctx, chain->trusted, chain->leaf, chain->others) != 1 ||
	    X509_STORE_CTX_set_default(ctx, "ssl_server") != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	if (tls_verify_host(param, host) != OK)
		goto out;
	X509_STORE_CTX_set_verify_cb(ctx, tls_verify_step);
	set_time(
	    param, json_string_value(json_object_get(c, "validation_time")));
	if (json_is_integer(depth))
		X509_VERIFY_PARAM_set_depth(
		    param, (int)json_integer_value(depth));
	ok = X509_verify_cert(ctx) == 1 &&
	    X509_VERIFY_PARAM_get0_peername(param) != NULL;
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* Clients' certificates, addresses and revocation are none of our doing. */
static const char *
host_of(const json_t *c)
{
	const json_t *name = json_object_get(c, "expected_peer_name");
	const char *kind = json_string_value(json_object_get(name, "kind"));
	const char *side =
	    json_string_value(json_object_get(c, "validation_kind"));

	if (kind == NULL || strcmp(kind, "DNS") != 0 || side == NULL ||
	    strcmp(side, "SERVER") != 0 ||
	    json_array_size(json_object_get(c, "crls")) > 0)
		return NULL;
	return json_string_value(json_object_get(name, "value"));
}

static enum verdict
judge(const json_t *c)
{
	const char *host = host_of(c);
	struct chain chain;
	bool ok;

	if (host == NULL)
		return SKIPPED;
	ok = chain_read(c, &chain) && is_accepted(c, &chain, host);
	chain_free(&chain);
	return ok ? ACCEPTED : REFUSED;
}

/* Whether @line stands in @known; it is taken out. */
static bool
is_known(json_t *known, const char *line)
{
	return known != NULL && json_object_del(known, line) == 0;
}

static void
count_case(const json_t *c, json_t *known, struct count *n)
{
	const char *id = json_string_value(json_object_get(c, "id"));
	const char *want =
	    json_string_value(json_object_get(c, "expected_result"));
	enum verdict v = judge(c);
	bool expected = want != NULL && strcmp(want, "SUCCESS") == 0;
	char line[512];

	if (v == SKIPPED) {
		n->skipped++;
		return;
	}
	if ((v == ACCEPTED) == expected) {
		n->as_expected++;
		return;
	}
	n->false_accepts += v == ACCEPTED;
	n->false_rejects += v == REFUSED;
	(void)snprintf(line, sizeof line, "%s %s",
	    v == ACCEPTED ? "accepts" : "refuses", id == NULL ? "?" : id);
	if (is_known(known, line))
		return;
	n->surprises++;
	(void)printf("%s\n", line);
}

/* One "accepts ID" or "refuses ID" a line; `#` begins a comment. */
static json_t *
read_known(const char *path)
{
	json_t *known = json_object();
	char line[512];
	FILE *f = fopen(path, "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			(void)json_object_set_new(known, line, json_true());
	}
	if (f == NULL) {
		json_decref(known);
		return NULL;
	}
	(void)fclose(f);
	return known;
}

int
main(int argc, char **argv)
{
	struct count n = { 0 };
	json_t *all, *c, *known = NULL;
	size_t i;

	if (argc < 2 || argc > 3) {
		(void)fprintf(stderr, "usage: limbo LIMBO.JSON [KNOWN]\n");
		return EX_USAGE;
	}
	all = json_load_file(argv[1], 0, NULL);
	if (argc == 3)
		known = read_known(argv[2]);
	if (all == NULL || (argc == 3 && known == NULL)) {
		(void)fprintf(stderr, "limbo: a file cannot be read\n");
		return EX_NOINPUT;
	}
	json_array_foreach(json_object_get(all, "testcases"), i, c)
		count_case(c, known, &n);
	(void)printf("%u as expected, %u false accepts, %u false rejects, "
	             "%u skipped (clients, addresses, revocation)\n",
	    n.as_expected, n.false_accepts, n.false_rejects, n.skipped);
	json_decref(known);
	json_decref(all);
	return n.as_expected == 0 || n.surprises > 0;
}
