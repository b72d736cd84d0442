/* What kind of address it is: the floor under every rule. */
#ifndef POLICY_ADDRESS_CLASS_H
#define POLICY_ADDRESS_CLASS_H

#include "base/addr.h"

enum address_class {
	ADDRESS_NEVER,   /**< refused whatever the policy says */
	ADDRESS_PRIVATE, /**< reached only inside `endpoints` */
	ADDRESS_PUBLIC,  /**< reached only on route `public` */
};

/** IPv4-mapped addresses are judged as the IPv4 address in them. */
enum address_class address_class(const struct addr *a);
/** Why it is never reached ("loopback", "6to4"), or NULL for the others. */
const char *address_never_name(const struct addr *a);
/**
 * Whether @c holds some address of a never-class; the class's name, else
 * NULL. For `endpoints`, which may cover none.
 */
const char *cidr_never_name(const struct cidr *c);

#endif
