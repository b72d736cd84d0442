/* `ca`: the inspection CA, for the control socket. */
#ifndef AGENT_CONTROL_CA_H
#define AGENT_CONTROL_CA_H

#include "agent/daemon.h"
#include "base/jsonw.h"

/** Members of the answer: how it stands, and each certificate. Public, all of
 * it. E_NOMEM, E_INTERNAL. */
enum status control_put_ca(
    struct jsonw *w, const struct daemon *d) ATTR_MUST_USE;
/** Member "ca", paths, where clients are to believe it and can. */
void control_put_ca_files(struct jsonw *w, const struct daemon *d);

#endif
