/* `ca`: the inspection CA, for the control socket. */
#include "agent/control_ca.h"

#include "agent/ca_files.h"
#include "agent/ca_make.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { PEM_MAX_BYTES = 65536, SUBJECT_BYTES = 256 };

static void
put_subject(struct jsonw *w, const X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (bio != NULL &&
	    X509_NAME_print_ex(
	        bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(bio, &p);
	jsonw_slice(w, "subject", (struct slice){ p, n > 0 ? (size_t)n : 0 });
	BIO_free(bio);
	ERR_clear_error();
}

static bool
put_hash(struct jsonw *w, const X509 *cert)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct buf hex;

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		return false;
	buf_init(&hex, 2 * sizeof hash);
	buf_put_hex(&hex, hash, n);
	jsonw_slice(w, "sha256", buf_slice(&hex));
	buf_release(&hex);
	return true;
}

static enum status
put_cert(struct jsonw *w, enum ca_role role, X509 *cert)
{
	enum status st;
	struct buf pem;

	buf_init(&pem, PEM_MAX_BYTES);
	st = ca_put_cert(&pem, cert);
	jsonw_object(w, NULL);
	jsonw_str(w, "role", ca_role_name(role));
	put_subject(w, cert);
	if (st == OK && !put_hash(w, cert))
		st = E_INTERNAL;
	jsonw_i64(w, "made", ca_made_unix_s(cert));
	jsonw_i64(w, "expires", ca_ends_unix_s(cert));
	jsonw_slice(w, "pem", buf_slice(&pem));
	jsonw_object_end(w);
	buf_release(&pem);
	return st;
}

static void
put_path(struct jsonw *w, const char *key, const char *dir, const char *name)
{
	char path[CONFIG_PATH_BYTES + 32];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	jsonw_str(w, key, path);
}

void
control_put_ca_files(struct jsonw *w, const struct daemon *d)
{
	const char *dir = d->config->runtime_dir;

	if (d->ca == NULL || !d->ca_ready)
		return;
	jsonw_object(w, "ca");
	put_path(w, "bundle", dir, CA_FILE_BUNDLE);
	put_path(w, "pem", dir, CA_FILE_PEM);
	put_path(w, "store", dir, CA_FILE_STORE);
	jsonw_object_end(w);
}

enum status
control_put_ca(struct jsonw *w, const struct daemon *d)
{
	const struct ca *ca = d->ca;
	enum status st = OK;

	jsonw_str(
	    w, "inspection", config_inspection_name(d->config->inspection));
	jsonw_bool(w, "on", ca != NULL);
	jsonw_bool(w, "busy", d->ca_work.busy);
	jsonw_str(w, "problem",
	    d->ca_work.busy || d->ca_work.st == OK ? ""
	                                           : d->ca_work.problem.text);
	jsonw_i64(w, "due", ca != NULL ? ca->due_unix_s : 0);
	jsonw_array(w, "certificates");
	for (int i = 0; ca != NULL && i < CA_ROLES && st == OK; i++)
		if (ca->certs[i] != NULL)
			st = put_cert(w, (enum ca_role)i, ca->certs[i]);
	jsonw_array_end(w);
	control_put_ca_files(w, d);
	return st;
}
