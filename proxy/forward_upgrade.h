/* The one protocol that a message may be exchanged for: WebSocket. Pure. */
#ifndef PROXY_FORWARD_UPGRADE_H
#define PROXY_FORWARD_UPGRADE_H

#include "base/http1.h"

enum { WEBSOCKET_KEY_BYTES = 25 };

/**
 * Whether @r, a sound request without a body, opens a WebSocket
 * (RFC 6455 4.1); then @key is what its answer has to prove.
 */
bool websocket_is_asked(
    const struct http1_request *r, char key[WEBSOCKET_KEY_BYTES]);
/** Whether the 101 @r is the answer to @key (RFC 6455 4.1). */
bool websocket_is_accepted(const struct http1_response *r, const char *key);

#endif
