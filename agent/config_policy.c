/* Reads the policy file that the configuration names. */
#include "agent/config.h"
#include "agent/trusted_file.h"

#ifdef __GLIBC__
#	include <malloc.h>
#endif
#include <stdio.h>

enum { POLICY_FILE_MAX_BYTES = 256 << 20 };

static void
cannot_read(struct policy_issues *issues, const char *text)
{
	struct policy_issue *i = &issues->at[0];

	*i = (struct policy_issue){ .is_error = true, .line = 1, .column = 1 };
	/* A cut message is still a message. */
	(void)snprintf(
	    i->text, sizeof i->text, "%.*s", (int)sizeof i->text - 1, text);
	issues->n = issues->n_errors = 1;
}

/* The file's text and the values read from it are gone: several times the
 * size of what they made, and the heap would keep the room. */
static void
give_back_memory(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

enum status
config_load_policy(
    const struct config *c, struct policy **out, struct policy_issues *issues)
{
	struct status_detail detail;
	struct buf text;
	enum status st;

	issues->n = issues->n_errors = 0;
	buf_init(&text, POLICY_FILE_MAX_BYTES);
	st = trusted_file_read(c->policy_file, &text, &detail);
	if (st != OK)
		cannot_read(issues, detail.text);
	else
		st = policy_load(buf_slice(&text), out, issues);
	buf_release(&text);
	give_back_memory();
	return st;
}

/* Such rules would let nothing through but at a gateway, and nobody would
 * know why. */
enum status
config_judge_inspection(const struct config *c, const struct policy *p,
    struct status_detail *detail)
{
	if (c->inspection != CONFIG_INSPECTION_OFF || !policy_inspects(p))
		return OK;
	return status_set(detail, E_INVALID,
	    "the policy has to look into tunnels (\"methods\", \"paths\", "
	    "\"deny_sas\", \"inject\", \"inspect\" or "
	    "\"tenant_restrictions\"), and \"inspection\" under \"tls\" of "
	    "%.200s is \"off\": set it to \"auto\", or leave those out",
	    c->file);
}
