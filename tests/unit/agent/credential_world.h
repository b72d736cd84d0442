/* Two clocks, one loop and an identity that does as it is told: what the
 * credential port of the agent asks goes to the fake of --wrap. */
#ifndef TESTS_UNIT_AGENT_CREDENTIAL_WORLD_H
#define TESTS_UNIT_AGENT_CREDENTIAL_WORLD_H

#include "agent/credential_table.h"
#include "agent/wiring.h"

enum { BOX_MAX = 16 }; /* mails to the control loop */

struct credential_world {
	struct clock clock;
	int64_t boot_ms, unix_ms;
	struct event_base *base;
	struct mailbox *box;
	struct credential_desk *desk;
	struct wiring wiring;
	/* the identity */
	enum status st;     /* of the next question */
	const char *token;  /* it gives */
	int64_t left_s;     /* of its life */
	unsigned questions; /* it heard */
	char identity[64], audience[64], spent[SECRET_ID_BYTES];
	struct identity_credential *waiting;
	unsigned cancels;
	size_t secret_bytes; /* in use at the start */
};

extern struct credential_world world;

/** Counts down; the calloc() that finds it at 0 fails. Negative: never. */
extern _Thread_local long fail_in;

struct asker {
	struct proxy_credential_ask ask; /* first */
	unsigned calls;
	enum status st;
};

int world_setup(void **state);
/** Nothing is left behind: no token, nobody who waits. */
int world_teardown(void **state);
/** What the identity was waiting for has come to @st. */
void world_answer(enum status st);
void world_pass(int64_t ms);
/** The askers' done(). */
void world_done(struct proxy_wait *w, enum status st);
enum status world_ask_for(struct asker *a, const char *identity,
    const char *audience, const char *spent_id);
/** For "host" and "https://a". */
enum status world_ask(struct asker *a);
/** The token that @a got, which is let go. */
void world_got(struct asker *a, const char *text);
/** Both loops are one here: the mails go there and back. */
void world_turn(void);
/** One token is in the table. */
void world_hold(void);

#endif
