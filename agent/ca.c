/* The inspection CA on disk: made, read, and changed for the next one. */
#include "agent/ca.h"

#include "agent/ca_make.h"
#include "agent/trusted_file.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PEM_MAX_BYTES = 65536,
	PATH_BYTES = CONFIG_PATH_BYTES + 16,
	KEY_MODE = S_IRUSR | S_IWUSR,
	CERT_MODE = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH,
	DAY_S = 86400,
};

static const char *const cert_files[CA_ROLES] = { "ca.pem", "ca.next.pem",
	"ca.old.pem" };
static const char *const key_files[] = { "ca.key", "ca.next.key" };

const char *
ca_role_name(enum ca_role role)
{
	static const char *const names[CA_ROLES] = { "current", "next", "old" };

	return names[role];
}

static void
path_of(const struct ca_settings *s, const char *file, char out[PATH_BYTES])
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", s->state_dir, file);
}

static bool
is_there(const struct ca_settings *s, const char *file)
{
	char path[PATH_BYTES];

	path_of(s, file, path);
	return access(path, F_OK) == 0;
}

static void
drop(const struct ca_settings *s, const char *file)
{
	char path[PATH_BYTES];

	path_of(s, file, path);
	(void)unlink(path);
}

static enum status
move(const struct ca_settings *s, const char *from, const char *to,
    struct status_detail *detail)
{
	char a[PATH_BYTES], b[PATH_BYTES];

	path_of(s, from, a);
	path_of(s, to, b);
	if (rename(a, b) == 0)
		return OK;
	return status_set(detail, E_IO, "\"%s\" cannot be renamed", a);
}

/* E_NOTFOUND, E_INVALID and so on. */
static enum status
read_cert(const struct ca_settings *s, enum ca_role role, X509 **out,
    struct status_detail *detail)
{
	char path[PATH_BYTES];
	struct buf text;
	enum status st;

	path_of(s, cert_files[role], path);
	buf_init(&text, PEM_MAX_BYTES);
	st = trusted_file_read(path, &text, detail);
	if (st == OK) {
		st = ca_read_cert(buf_slice(&text), out);
		if (st != OK)
			(void)status_set(detail, st,
			    "\"%s\" is no certificate in PEM; remove it", path);
	}
	buf_release(&text);
	return st;
}

static enum status
write_cert(const struct ca_settings *s, enum ca_role role, X509 *cert,
    struct status_detail *detail)
{
	char path[PATH_BYTES];
	struct buf text;
	enum status st;

	path_of(s, cert_files[role], path);
	buf_init(&text, PEM_MAX_BYTES);
	st = ca_put_cert(&text, cert);
	if (st == OK)
		st =
		    trusted_file_put(path, CERT_MODE, buf_slice(&text), detail);
	else
		(void)status_set(detail, st, "%s: %s", path, status_text(st));
	buf_release(&text);
	return st;
}

static enum status
read_key(const struct ca_settings *s, enum ca_role role, EVP_PKEY **out,
    struct status_detail *detail)
{
	bool is_credential = role == CA_CURRENT && s->credential[0] != '\0';
	char own[PATH_BYTES];
	const char *path = is_credential ? s->credential : own;
	struct buf text;
	enum status st;

	path_of(s, key_files[role], own);
	buf_init_secret(&text, PEM_MAX_BYTES);
	st = is_credential ? trusted_file_read(path, &text, detail)
	                   : key_file_read(path, &text, detail);
	if (st == OK) {
		st = ca_read_key(buf_slice(&text), out);
		if (st != OK)
			(void)status_set(detail, st,
			    "\"%s\" is no EC or RSA key in PEM, or a weak "
			    "one%s",
			    path,
			    is_credential
			        ? ""
			        : "; remove it, and a new one is made");
	}
	buf_release(&text);
	return st;
}

static enum status
make_key(const struct ca_settings *s, enum ca_role role, EVP_PKEY **out,
    struct status_detail *detail)
{
	EVP_PKEY *key = NULL;
	char path[PATH_BYTES];
	struct buf text;
	enum status st;

	path_of(s, key_files[role], path);
	buf_init_secret(&text, PEM_MAX_BYTES);
	st = ca_make_key(&key);
	if (st == OK)
		st = ca_put_key(&text, key);
	if (st == OK)
		st = trusted_file_put(path, KEY_MODE, buf_slice(&text), detail);
	else
		(void)status_set(detail, st, "%s: no key could be made", path);
	buf_release(&text);
	if (st != OK) {
		EVP_PKEY_free(key);
		return st;
	}
	*out = key;
	return OK;
}

static enum status
make_cert(const struct ca_settings *s, enum ca_role role, EVP_PKEY *key,
    X509 **out, struct status_detail *detail)
{
	X509 *cert = NULL;
	enum status st = ca_make_cert(s->name, key, s->now_unix_s, &cert);

	if (st != OK)
		return status_set(
		    detail, st, "no CA certificate could be made");
	st = write_cert(s, role, cert, detail);
	if (st != OK) {
		X509_free(cert);
		return st;
	}
	*out = cert;
	return OK;
}

/* The last two renames of a turn, of which the first has been done. */
static enum status
finish_turn(const struct ca_settings *s, struct status_detail *detail)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum status st = read_cert(s, CA_NEXT, &cert, detail);

	if (st == OK)
		st = read_key(s, CA_CURRENT, &key, detail);
	if (st == OK && X509_check_private_key(cert, key) == 1)
		st = move(
		    s, cert_files[CA_NEXT], cert_files[CA_CURRENT], detail);
	else if (st == OK || st == E_INVALID || st == E_NOTFOUND)
		drop(s, cert_files[CA_NEXT]);
	EVP_PKEY_free(key);
	X509_free(cert);
	return st == E_INVALID || st == E_NOTFOUND ? OK : st;
}

/* For those who hold a leaf of it. */
static enum status
keep_old(const struct ca_settings *s, struct status_detail *detail)
{
	X509 *before = NULL;
	enum status st = read_cert(s, CA_CURRENT, &before, detail);

	if (st == OK)
		st = write_cert(s, CA_OLD, before, detail);
	X509_free(before);
	return st == E_NOTFOUND || st == E_INVALID ? OK : st;
}

/* The next one signs from now on. */
static enum status
turn(const struct ca_settings *s, struct status_detail *detail)
{
	enum status st =
	    move(s, key_files[CA_NEXT], key_files[CA_CURRENT], detail);

	return st == OK
	    ? move(s, cert_files[CA_NEXT], cert_files[CA_CURRENT], detail)
	    : st;
}

static int64_t
turn_time(const X509 *next)
{
	return ca_made_unix_s(next) + CA_OVERLAP_S;
}

/* When the last leaf that was signed before @current has ended. */
static int64_t
old_ends(const X509 *current)
{
	return turn_time(current) + (int64_t)TLS_LEAF_DAYS * DAY_S;
}

static void
drop_next(const struct ca_settings *s)
{
	drop(s, cert_files[CA_NEXT]);
	drop(s, key_files[CA_NEXT]);
}

/* A pair that belongs together, or E_INVALID. */
static enum status
read_next(const struct ca_settings *s, X509 **out, struct status_detail *detail)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum status st = read_cert(s, CA_NEXT, &cert, detail);

	if (st == OK)
		st = read_key(s, CA_NEXT, &key, detail);
	if (st == OK && X509_check_private_key(cert, key) != 1)
		st = status_set(detail, E_INVALID, "\"%s/%s\" is another key's",
		    s->state_dir, cert_files[CA_NEXT]);
	EVP_PKEY_free(key);
	if (st != OK) {
		X509_free(cert);
		return st;
	}
	*out = cert;
	return OK;
}

/* Goes on with what was cut short, and does what is due. One that is next and
 * damaged keeps nobody from signing: another is made by the next rotation. */
static enum status
settle(const struct ca_settings *s, struct status_detail *detail)
{
	bool key = is_there(s, key_files[CA_NEXT]);
	bool cert = is_there(s, cert_files[CA_NEXT]);
	X509 *next = NULL;
	enum status st;

	if (!key && !cert)
		return OK;
	if (!key)
		return finish_turn(s, detail);
	if (!cert) {
		drop(s, key_files[CA_NEXT]);
		return OK;
	}
	st = read_next(s, &next, detail);
	if (st == E_INVALID || st == E_DENIED) {
		log_warning(
		    "the next inspection CA is dropped: %s", detail->text);
		drop_next(s);
		return OK;
	}
	if (st == OK && turn_time(next) <= s->now_unix_s) {
		st = keep_old(s, detail);
		if (st == OK)
			st = turn(s, detail);
	}
	X509_free(next);
	return st;
}

static enum status
open_key(
    const struct ca_settings *s, EVP_PKEY **out, struct status_detail *detail)
{
	enum status st = read_key(s, CA_CURRENT, out, detail);

	if (st == E_NOTFOUND && s->credential[0] == '\0')
		st = make_key(s, CA_CURRENT, out, detail);
	return st;
}

/* It says nothing that the key does not: one that is another's is made anew. */
static enum status
open_cert(const struct ca_settings *s, EVP_PKEY *key, X509 **out,
    struct status_detail *detail)
{
	X509 *cert = NULL;
	enum status st = read_cert(s, CA_CURRENT, &cert, detail);

	if (st == OK && X509_check_private_key(cert, key) != 1) {
		X509_free(cert);
		st = E_NOTFOUND;
	}
	if (st == E_NOTFOUND)
		return make_cert(s, CA_CURRENT, key, out, detail);
	if (st != OK)
		return st;
	if (ca_ends_unix_s(cert) <= s->now_unix_s) {
		X509_free(cert);
		return status_set(detail, E_INVALID,
		    "the inspection CA of \"%s/%s\" has expired; remove "
		    "ca.key and ca.pem, and a new one is made",
		    s->state_dir, cert_files[CA_CURRENT]);
	}
	*out = cert;
	return OK;
}

/* The next and the old one: none of them keeps the current from signing. */
static void
read_others(const struct ca_settings *s, struct ca *ca)
{
	struct status_detail unsaid;
	X509 *old = NULL;

	if (s->credential[0] != '\0')
		return;
	if (read_cert(s, CA_NEXT, &ca->certs[CA_NEXT], &unsaid) == OK)
		ca->due_unix_s = turn_time(ca->certs[CA_NEXT]);
	if (read_cert(s, CA_OLD, &old, &unsaid) != OK)
		return;
	if (old_ends(ca->certs[CA_CURRENT]) <= s->now_unix_s) {
		drop(s, cert_files[CA_OLD]);
		X509_free(old);
		return;
	}
	ca->certs[CA_OLD] = old;
	if (ca->due_unix_s == 0)
		ca->due_unix_s = old_ends(ca->certs[CA_CURRENT]);
}

static enum status
open_signer(struct ca *ca, EVP_PKEY *key, struct tls_ca *before,
    struct status_detail *detail)
{
	X509 *cert = ca->certs[CA_CURRENT];
	enum status st = OK;

	if (before != NULL && X509_cmp(tls_ca_cert(before), cert) == 0)
		ca->signer = tls_ca_ref(before);
	else
		st = tls_ca_new(cert, key, &ca->signer);
	if (st != OK)
		(void)status_set(detail, st,
		    "the inspection CA cannot sign: %s", status_text(st));
	return st;
}

enum status
ca_open(const struct ca_settings *s, struct tls_ca *signer, struct ca **out,
    struct status_detail *detail)
{
	struct ca *ca = calloc(1, sizeof *ca);
	EVP_PKEY *key = NULL;
	enum status st = OK;

	if (ca == NULL)
		return status_set(detail, E_NOMEM, "no memory");
	ca->refs = 1;
	if (s->credential[0] == '\0')
		st = settle(s, detail);
	if (st == OK)
		st = open_key(s, &key, detail);
	if (st == OK)
		st = open_cert(s, key, &ca->certs[CA_CURRENT], detail);
	if (st == OK)
		st = open_signer(ca, key, signer, detail);
	EVP_PKEY_free(key);
	if (st != OK) {
		ca_unref(ca);
		return st;
	}
	read_others(s, ca);
	*out = ca;
	return OK;
}

struct ca *
ca_ref(struct ca *ca)
{
	ca->refs++;
	return ca;
}

void
ca_unref(struct ca *ca)
{
	if (ca == NULL || --ca->refs > 0)
		return;
	tls_ca_unref(ca->signer);
	for (int i = 0; i < CA_ROLES; i++)
		X509_free(ca->certs[i]);
	free(ca);
}

enum status
ca_rotate(
    const struct ca_settings *s, bool at_once, struct status_detail *detail)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum status st;

	if (s->credential[0] != '\0')
		return status_set(detail, E_UNSUPPORTED,
		    "the key of the inspection CA is a credential of the "
		    "service manager: change that, and restart");
	if (at_once) {
		/* What is there may have been read as well; and the one before
		 * is never written where others would read it. */
		drop_next(s);
		drop(s, cert_files[CA_OLD]);
	} else if (is_there(s, cert_files[CA_NEXT])) {
		return status_set(detail, E_BUSY,
		    "a rotation is under way: the next CA is in the bundle");
	}
	/* The key first: without a certificate it is nothing. */
	st = make_key(s, CA_NEXT, &key, detail);
	if (st == OK)
		st = make_cert(s, CA_NEXT, key, &cert, detail);
	if (st == OK && at_once)
		st = turn(s, detail);
	EVP_PKEY_free(key);
	X509_free(cert);
	return st;
}
