/* The environment that makes unmodified clients use the agent. */
#include "agent/env_list.h"

#include "agent/env_clients.h"
#include "agent/env_noproxy.h"
#include "base/jsonw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* These outrank the agent's identity in the SDKs' chains, or are secrets. */
static const char *const secrets[] = { "AZURE_CLIENT_SECRET",
	"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE",
	"AZURE_PASSWORD", "AZURE_STORAGE_CONNECTION_STRING",
	"AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY",
	"AZURE_STORAGE_SAS_TOKEN", "ARM_CLIENT_SECRET", "DATABRICKS_TOKEN",
	"DATABRICKS_CLIENT_SECRET", "MLFLOW_TRACKING_TOKEN",
	"MLFLOW_TRACKING_PASSWORD" };

static char *format(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

static char *
format(const char *fmt, va_list ap)
{
	char *s = NULL;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

/** Takes @value; NULL is out of memory. */
static bool
put(struct env_list *l, const char *name, char *value)
{
	if (value == NULL || l->n == ENV_VARS_MAX) {
		free(value);
		return false;
	}
	l->vars[l->n++] = (struct env_var){ name, value };
	return true;
}

bool
env_list_set(struct env_list *l, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	value = format(fmt, ap);
	va_end(ap);
	return put(l, name, value);
}

/* A line that ended early would be evaluated. */
static bool
is_one_line(const char *s)
{
	while ((unsigned char)*s >= ' ' && *s != 0x7f)
		s++;
	return *s == '\0';
}

bool
env_list_comment(struct env_list *l, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = format(fmt, ap);
	va_end(ap);
	if (s == NULL || l->n_comments == ENV_COMMENTS_MAX || !is_one_line(s)) {
		free(s);
		return false;
	}
	l->comments[l->n_comments++] = s;
	return true;
}

static void
unset(struct env_list *l, const char *name)
{
	if (l->n < ENV_VARS_MAX)
		l->vars[l->n++] = (struct env_var){ name, NULL };
}

void
env_list_warn(struct env_list *l, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = format(fmt, ap);
	va_end(ap);
	if (s == NULL || l->n_warnings == ENV_WARNINGS_MAX) {
		free(s);
		return;
	}
	l->warnings[l->n_warnings++] = s;
}

static bool
add_no_proxy(struct env_list *l, const struct env_input *in)
{
	const char *upper = in->get(in->ctx, "NO_PROXY");
	const char *lower = in->get(in->ctx, "no_proxy");
	const char *why;
	struct slice entry, rest;
	struct buf b;
	bool ok;

	buf_init(&b, (size_t)128 * 1024);
	env_noproxy_merge(&b, upper, lower);
	rest = buf_slice(&b);
	while (env_noproxy_next(&rest, &entry)) {
		why = env_noproxy_slips(entry);
		if (why == NULL && in->governed != NULL &&
		    in->governed(in->governed_ctx, entry))
			why = "a host that the policy governs is reached "
			      "without the agent";
		if (why != NULL)
			env_list_warn(l, "NO_PROXY has \"%.*s\": %s",
			    (int)entry.n, entry.p, why);
	}
	ok = buf_status(&b) == OK &&
	    env_list_set(l, "NO_PROXY", "%.*s", (int)b.n, b.p) &&
	    env_list_set(l, "no_proxy", "%.*s", (int)b.n, b.p);
	buf_release(&b);
	return ok;
}

static bool
add_proxy(struct env_list *l, const struct env_input *in)
{
	static const char *const names[] = { "HTTP_PROXY", "HTTPS_PROXY",
		"http_proxy", "https_proxy" };
	char url[128];

	if (in->proxy[0] == '\0')
		return true;
	(void)snprintf(url, sizeof url, "http://%.100s", in->proxy);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *old = in->get(in->ctx, names[i]);
		/* Its value may hold a password: it is not repeated. */
		if (old != NULL && *old != '\0' && strcmp(old, url) != 0)
			env_list_warn(l,
			    "%s named another proxy; the agent takes its place",
			    names[i]);
		if (!env_list_set(l, names[i], "%s", url))
			return false;
	}
	return true;
}

static bool
add_identity(struct env_list *l, const struct env_input *in)
{
	const char *b = in->broker;

	if (b[0] == '\0')
		return true;
	return env_list_set(l, "IDENTITY_ENDPOINT", "http://%s/msi/token", b) &&
	    env_list_set(l, "IDENTITY_HEADER", "%s", in->header) &&
	    env_list_set(
	        l, "AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://%s", b) &&
	    env_list_set(
	        l, "AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential") &&
	    /* these send Metadata: true, and no header of their own */
	    env_list_set(l, "ARM_MSI_ENDPOINT",
	        "http://%s/metadata/identity/oauth2/token", b) &&
	    env_list_set(l, "AZURE_MSI_ENDPOINT",
	        "http://%s/metadata/identity/oauth2/token", b) &&
	    env_list_set(l, "DATABRICKS_METADATA_SERVICE_URL",
	        "http://%s/databricks/token", b);
}

/* Each library has a variable of its own. Node's adds to what it knows, the
 * others' take the place of that. */
static bool
add_ca(struct env_list *l, const struct env_input *in)
{
	static const char *const names[] = { "SSL_CERT_FILE",
		"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
		"PIP_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
		"NODE_EXTRA_CA_CERTS" };
	const size_t adds = ARRAY_LEN(names) - 1;

	/* Who does not come by the proxy sees the services' own. */
	if (in->ca_bundle == NULL || *in->ca_bundle == '\0' ||
	    in->proxy[0] == '\0')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *old = in->get(in->ctx, names[i]);
		const char *file = i == adds ? in->ca_pem : in->ca_bundle;

		if (old != NULL && *old != '\0' && strcmp(old, file) != 0)
			env_list_warn(l,
			    "%s named another file; the agent's, with its "
			    "own CA, takes its place",
			    names[i]);
		if (!env_list_set(l, names[i], "%s", file))
			return false;
	}
	return true;
}

static bool
add_client(struct env_list *l, const struct env_input *in)
{
	const struct env_client *c;

	if (in->client == NULL)
		return true;
	c = env_client_find(in->client);
	l->note = c->note;
	return c->add == NULL || c->add(l, in);
}

/** What is set already and gets in the way. */
static void
look_around(struct env_list *l, const struct env_input *in)
{
	const char *id = in->get(in->ctx, "AZURE_CLIENT_ID");

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		const char *v = in->get(in->ctx, secrets[i]);
		if (v != NULL && *v != '\0')
			env_list_warn(l,
			    "%s is set: clients may use it in place of the "
			    "agent's identity, and it is a secret in the "
			    "environment; unset it",
			    secrets[i]);
	}
	/* Go: "empty managedidentity.UserAssignedClientID" */
	if (id != NULL && *id == '\0')
		unset(l, "AZURE_CLIENT_ID");
	else if (id != NULL)
		env_list_warn(l,
		    "AZURE_CLIENT_ID is set: clients ask for that identity, "
		    "and a grant must name it");
	/* it would make clients take us for Service Fabric, https only */
	if (in->get(in->ctx, "IDENTITY_SERVER_THUMBPRINT") != NULL)
		unset(l, "IDENTITY_SERVER_THUMBPRINT");
}

enum status
env_list_build(const struct env_input *in, struct env_list *out)
{
	*out = (struct env_list){ .n = 0 };
	if (in->client != NULL && env_client_find(in->client) == NULL)
		return E_INVALID;
	if (add_proxy(out, in) && add_no_proxy(out, in) &&
	    add_identity(out, in) && add_ca(out, in) && add_client(out, in)) {
		look_around(out, in);
		return OK;
	}
	env_list_release(out);
	return E_NOMEM;
}

void
env_list_release(struct env_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char *v = l->vars[i].value;
		if (v != NULL)
			explicit_bzero(v, strlen(v));
		free(v);
	}
	for (size_t i = 0; i < l->n_warnings; i++)
		free(l->warnings[i]);
	for (size_t i = 0; i < l->n_comments; i++)
		free(l->comments[i]);
	*l = (struct env_list){ .n = 0 };
}

const char *
env_list_get(const struct env_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->vars[i].name, name) == 0)
			return l->vars[i].value;
	return NULL;
}

/** @s in single quotes, as each shell wants a quote inside them. */
static void
put_quoted(struct buf *out, const char *s, enum env_shell shell)
{
	buf_putc(out, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			buf_puts(out,
			    shell == ENV_SH         ? "'\\''"
			        : shell == ENV_FISH ? "\\'"
			                            : "''");
		else if (*s == '\\' && shell == ENV_FISH)
			buf_puts(out, "\\\\");
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '\'');
}

static void
print_json(struct buf *out, const struct env_list *l)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	for (size_t i = 0; i < l->n; i++)
		jsonw_str(&w, l->vars[i].name, l->vars[i].value);
	jsonw_object_end(&w);
	buf_putc(out, '\n');
}

void
env_list_print(struct buf *out, const struct env_list *l, enum env_shell shell)
{
	static const struct {
		const char *set, *is, *unset, *end;
	} words[] = {
		[ENV_SH] = { "export ", "=", "unset ", "" },
		[ENV_FISH] = { "set -gx ", " ", "set -e ", "" },
		[ENV_POWERSHELL] = { "$env:", " = ",
		    "Remove-Item Env:", " -ErrorAction SilentlyContinue" },
	};

	if (shell == ENV_JSON) {
		print_json(out, l);
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct env_var *v = &l->vars[i];
		buf_puts(out,
		    v->value != NULL ? words[shell].set : words[shell].unset);
		buf_puts(out, v->name);
		if (v->value == NULL) {
			buf_puts(out, words[shell].end);
		} else {
			buf_puts(out, words[shell].is);
			put_quoted(out, v->value, shell);
		}
		buf_putc(out, '\n');
	}
	/* Last: an eval without quotes makes one line of all this. */
	if (l->note != NULL) {
		buf_puts(out, "# ");
		buf_puts(out, l->note);
		buf_putc(out, '\n');
	}
	for (size_t i = 0; i < l->n_comments; i++) {
		buf_puts(out, "# ");
		buf_puts(out, l->comments[i]);
		buf_putc(out, '\n');
	}
}
