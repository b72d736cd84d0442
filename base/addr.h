/* Network addresses as values: read strictly, printed canonically. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/slice.h"
#include "base/status.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

/** An address without a port. IPv4 uses the first 4 bytes; the rest are 0. */
struct addr {
	uint8_t family; /**< enum addr_family */
	uint8_t b[16];  /**< network order */
};

struct cidr {
	struct addr base;
	uint8_t bits;
};

/** "255.255.255.255" .. "[ffff:...]:65535" and a NUL. */
enum { ADDR_TEXT_BYTES = 56 };

/**
 * An exact dotted quad or an IPv6 literal without brackets or zone id, read
 * by libc inet_pton alone. E_SYNTAX for all else ("127.1", "0x7f.1", " 1.2.3.4").
 */
enum status addr_parse(struct slice text, struct addr *out) ATTR_MUST_USE;
/** "10.20.0.0/16"; E_SYNTAX, or E_INVALID when host bits are set. */
enum status cidr_parse(struct slice text, struct cidr *out) ATTR_MUST_USE;
/** "ADDRESS:PORT" or "[V6]:PORT", port 1..65535. */
enum status addr_port_parse(
    struct slice text, struct addr *out, uint16_t *port) ATTR_MUST_USE;

bool addr_eq(const struct addr *a, const struct addr *b);
bool cidr_contains(const struct cidr *c, const struct addr *a);
/** An IPv4-mapped IPv6 address (::ffff:0:0/96) as IPv4; others as they are. */
struct addr addr_unmap(const struct addr *a);
/** Whether it is the metadata service's, 169.254.169.254, also mapped. */
bool addr_is_metadata(const struct addr *a);

/** RFC 5952 text, no brackets. Returns @out. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES]);
/** "10.20.0.5:443" or "[2001:db8::1]:443". Returns @out. */
const char *addr_port_text(
    const struct addr *a, uint16_t port, char out[ADDR_TEXT_BYTES]);

/** False for families other than AF_INET and AF_INET6. */
bool addr_from_sockaddr(
    const struct sockaddr *sa, struct addr *out, uint16_t *port) ATTR_MUST_USE;
socklen_t addr_to_sockaddr(
    const struct addr *a, uint16_t port, struct sockaddr_storage *out);

#endif
