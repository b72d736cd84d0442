/* Asks the running daemon over its control socket.
 *
 * One connection carries one question: a line of JSON with a "verb", answered
 * by a line of JSON with "ok". Where "ok" is false, "error" holds "code"
 * ("usage", "permission", "notfound", "unavailable", "internal") and
 * "message". The verbs, with what they take and give:
 *
 *   status                   version name pid uptime_s ready reasons policy
 *                            {generation sha256 mode rules} reload {ok time
 *                            message} workers connections listeners {proxy
 *                            broker admin} gateways inspection {mode on}
 *                            identities audit {healthy seq head
 *                            records errors key_id last_error} memory {locked
 *                            used_bytes total_bytes}
 *   wait                     ready reasons; at once: who waits asks again
 *   env {no_proxy}           uid identity_header proxy broker (addresses)
 *                            governed: those of the entries of no_proxy that
 *                            cover a host of some rule; ca {bundle pem
 *                            store}, paths, where clients need them
 *   why {id}                 denial (the record's members) rule_near unmet
 *                            fix fix_rule
 *   why {target, user, groups, unit, cgroup, method, at}
 *                            verdict would mode code reason rule route zone
 *                            host port resolved {chain addresses} rule_near
 *                            unmet fix fix_rule inspect, inject {identity
 *                            audience} where it is; note where a rule asks for
 *                            a unit and none was given. With a user that is
 *                            named unit and cgroup are those given, or none
 *   denials {after}          last (how many there were so far) and, of the
 *                            asker's own after that many, denials [{id code
 *                            destination reason}], the oldest first
 *   ca                       inspection on busy problem due (Unix seconds)
 *                            certificates [{role subject sha256 made expires
 *                            pem}] ca {bundle pem store}, paths
 *   ca_rotate {now}          nothing: ca says how it goes on; "unavailable"
 *                            where it cannot be now
 *   tokens                   tokens [{identity audience token_id state
 *                            expires refresh last_used (Unix seconds)
 *                            last_error}]
 *   token_revoke {id, uid, all}
 *                            nothing, once it is on the disk: the asker's
 *                            own, those of uid, all of them; with an id those
 *                            of that one alone, an operator's whoever has it
 *   reload                   message; "unavailable" when the load failed
 *
 * Who may ask what is decided by SO_PEERCRED: why and token_revoke about
 * others, reload and ca_rotate are for root and the daemon's own user and
 * group; tokens gives
 * everybody else what their own grants cover. */
#ifndef AGENT_CONTROL_CLIENT_H
#define AGENT_CONTROL_CLIENT_H

#include "base/status.h"

#include <jansson.h>

/**
 * Sends @request (borrowed) to the socket at @path and waits at most 30 s.
 * OK: *reply is owned, whatever its "ok" says. E_NOTFOUND: no daemon listens
 * there. E_TIMEOUT, E_IO, E_SYNTAX, E_NOMEM.
 */
enum status control_call(
    const char *path, json_t *request, json_t **reply) ATTR_MUST_USE;

#endif
