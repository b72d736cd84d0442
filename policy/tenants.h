/* Sign-ins are held to certain tenants by fields on their requests. */
#ifndef POLICY_TENANTS_H
#define POLICY_TENANTS_H

#include "base/slice.h"

/** What requests to the login hosts say; a NULL is left out. */
struct policy_tenants {
	const char *context; /**< of `allowed`: whose restriction it is */
	const char *allowed; /**< tenants, joined by commas */
	const char *policy;  /**< "TENANT:POLICY" of the second version */
};

/** Whether @host is one where people sign in to Microsoft Entra ID. */
bool tenants_login_host(const char *host);
/** Whether a client must not send the field @name there itself. */
bool tenants_own_field(struct slice name);

#endif
