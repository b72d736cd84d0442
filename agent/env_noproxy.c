/* NO_PROXY: clients read it in many dialects; the widest counts here. */
#include "agent/env_noproxy.h"

#include "base/addr.h"

/* The broker is on loopback; the two others are the platform's own. */
static const char *const own[] = { "127.0.0.1", "localhost", "169.254.169.254",
	"168.63.129.16" };

/* The ends of the privatelink services' public names, one a cloud and
 * service; what else is governed only the loaded policy can tell. */
static const char *const services[] = { "windows.net", "azure.net", "azure.com",
	"azure.cn", "azure.us", "azureml.ms", "azureml.us",
	"azuredatabricks.net", "azurecr.io", "azurecr.us", "azurecr.cn",
	"azuresynapse.net", "azurewebsites.net", "usgovcloudapi.net",
	"chinacloudapi.cn", "databricks.azure.cn", "databricks.azure.us",
	"applicationinsights.io", "loganalytics.io" };

bool
env_noproxy_next(struct slice *rest, struct slice *entry)
{
	while (rest->n > 0) {
		size_t n = 0;
		/* Go and curl split at commas, Python's urllib too; curl and
		 * some others at blanks as well. */
		while (n < rest->n && rest->p[n] != ',' && rest->p[n] != ' ' &&
		    rest->p[n] != '\t')
			n++;
		*entry = slice_head(*rest, n);
		*rest = slice_from(*rest, n + 1);
		if (entry->n > 0)
			return true;
	}
	return false;
}

static bool
has_entry(const struct buf *b, struct slice entry)
{
	struct slice rest = buf_slice(b), e;

	while (env_noproxy_next(&rest, &e))
		if (slice_eq_nocase(e, entry))
			return true;
	return false;
}

static void
add_entry(struct buf *out, struct slice entry)
{
	if (has_entry(out, entry))
		return;
	if (out->n > 0)
		buf_putc(out, ',');
	buf_put_slice(out, entry);
}

void
env_noproxy_merge(struct buf *out, const char *upper, const char *lower)
{
	struct slice rest = slice_of(upper), entry;

	while (env_noproxy_next(&rest, &entry))
		add_entry(out, entry);
	rest = slice_of(lower);
	while (env_noproxy_next(&rest, &entry))
		add_entry(out, entry);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		add_entry(out, slice_of(own[i]));
}

/** Whether @name is @suffix or lies under it. */
static bool
is_under(struct slice name, struct slice suffix)
{
	if (name.n < suffix.n ||
	    !slice_eq_nocase(slice_from(name, name.n - suffix.n), suffix))
		return false;
	return name.n == suffix.n || name.p[name.n - suffix.n - 1] == '.';
}

/** Addresses and ranges: only loopback and the platform's may be named. */
static const char *
address_slips(struct slice entry, bool *is_address)
{
	struct addr a;
	struct cidr c;

	*is_address = true;
	if (addr_parse(entry, &a) == OK) {
		if ((a.family == ADDR_V4 && a.b[0] == 127) ||
		    slice_is(entry, "::1") || slice_is(entry, own[2]) ||
		    slice_is(entry, own[3]))
			return NULL;
		return "that address is reached without the agent";
	}
	if (cidr_parse(entry, &c) == OK) {
		if (c.base.family == ADDR_V4 && c.base.b[0] == 127 &&
		    c.bits >= 8)
			return NULL;
		return "addresses in that range, such as private endpoints, "
		       "are reached without the agent";
	}
	*is_address = false;
	return NULL;
}

bool
env_noproxy_suffix(struct slice entry, char out[HOST_BYTES])
{
	struct addr a;
	struct cidr c;

	if (addr_parse(entry, &a) == OK || cidr_parse(entry, &c) == OK)
		return false;
	while (entry.n > 0 && (entry.p[0] == '*' || entry.p[0] == '.'))
		entry = slice_from(entry, 1);
	/* "host:port" in Go and Python */
	entry = slice_head(entry, slice_find(entry, ':'));
	return host_parse_name(entry, out) == OK;
}

const char *
env_noproxy_slips(struct slice entry)
{
	char suffix[HOST_BYTES];
	bool is_address;
	const char *why;

	if (slice_is(entry, "*"))
		return "nothing goes through the agent";
	why = address_slips(entry, &is_address);
	if (is_address)
		return why;
	if (!env_noproxy_suffix(entry, suffix))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct slice s = slice_of(suffix), g = slice_of(services[i]);

		if (is_under(s, g) || is_under(g, s))
			return "hosts of that name are reached without the "
			       "agent: no private-route check, no policy, no "
			       "record";
	}
	return NULL;
}
