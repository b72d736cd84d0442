/* A broker on a loopback port with everything around it faked: a metadata
 * service on another loopback port, ports that say what the test says. */
#ifndef TESTS_UNIT_IDENTITY_BROKER_WORLD_H
#define TESTS_UNIT_IDENTITY_BROKER_WORLD_H

#include "identity/identity.h"

#include <event2/event.h>

enum { WORLD_TEXT_BYTES = 32768 };

struct world {
	struct event_base *base;
	struct identity *id;
	int broker_fd; /**< listening, owned by the identity */
	uint16_t broker_port;

	/* the metadata service */
	int imds_fd;
	uint16_t imds_port;
	struct event *imds_event;
	char imds_answer[WORLD_TEXT_BYTES]; /**< "" = never answers */
	char imds_request[4096];            /**< the last one */
	unsigned imds_requests;
	struct imds_conn *imds_conns;

	/* the ports */
	struct peer peer;
	bool peer_late, peer_gone, deny, deny_host, audit_fails, audit_silent;
	bool phantom; /**< is what the grant gives */
	struct identity_wait *audit_waits[32];
	struct identity_wait *peer_wait; /**< of one who is looked up */
	unsigned peers_held;
	struct event *audit_event;
	unsigned records;
	unsigned grants_asked;   /**< calls of allow_token */
	unsigned deny_from;      /**< from that call on; 0: never */
	const char *record_mode; /**< of the last one, as is the next */
	uint64_t record_generation;
	char records_text[WORLD_TEXT_BYTES]; /**< code and verdict of each */

	struct { /* of the last record */
		enum record_event event;
		char id[RECORD_ID_BYTES], method[32], path[256];
		char token_id[SECRET_ID_BYTES];
	} last;

	unsigned noted; /**< refusals told to people */
	char asked_identity[64];
};

/** What the values that callers prove themselves with are made of. */
extern const uint8_t world_key[32];

void world_init(struct world *w);
void world_release(struct world *w);
/** What IMDS answers: @status and a body; the length is counted. */
void world_imds(
    struct world *w, const char *status, const char *fields, const char *body);
/** A good token "TOKEN" that lives @life_s from now. */
void world_imds_token(struct world *w, int life_s);

/** The audit's batch is down: everyone who waits for it is told. */
void world_audit_done(struct world *w);

/** The look-up that was late is there. */
void world_peer_done(struct world *w);
/** One more listener: a Unix socket in the abstract space. */
int world_connect_unix(struct world *w);
/** Connects a client; returns its fd. */
int world_connect(struct world *w);
void world_send(int fd, const char *text);
/**
 * Runs the loop until the peer closed, a whole response came or @ms passed.
 * Returns what came, in static memory.
 */
const char *world_receive(struct world *w, int fd, unsigned ms);
/** Connects, sends, receives, closes. */
const char *world_ask(struct world *w, const char *text);
void world_run(struct world *w, unsigned ms);

#endif
