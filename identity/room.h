/* What the files of this room share: the identity object itself. */
#ifndef IDENTITY_ROOM_H
#define IDENTITY_ROOM_H

#include "identity/answer.h"
#include "identity/cache.h"
#include "identity/fetch.h"
#include "identity/header.h"
#include "identity/phantom.h"
#include "identity/refusals.h"

struct broker;

struct identity {
	struct event_base *base;
	const struct clock *clock;
	struct identity_ports ports;
	uint8_t key[HEADER_KEY_BYTES], phantom_key[PHANTOM_KEY_BYTES];
	char name[64];
	struct identity_limits limits;
	bool draining;
	struct cache *cache;
	struct fetcher *fetcher;
	struct event *timer;
	struct broker *broker;
	struct refusals refusals;
	struct door_ask *asks; /**< of the proxy's port */
};

#endif
