/* Why a connection ended: the fixed list of the audit's `close` member. */
#ifndef PROXY_CLOSE_H
#define PROXY_CLOSE_H

/* clang-format off */
#define CLOSE_TABLE(X) \
	X(DONE, "done")         /* the message ended as it should */ \
	X(CLIENT, "client")     /* the client ended it */ \
	X(UPSTREAM, "upstream") /* the destination ended it */ \
	X(DENIED, "denied")     /* refused, or its first flight was */ \
	X(POLICY, "policy")     /* a reload or an `expires` took its rule away */ \
	X(IDLE, "idle")         /* nothing moved for the idle time */ \
	X(HELLO, "hello")       /* no ClientHello came in time */ \
	X(HEAD, "head")         /* no whole request head came in time */ \
	X(BUDGET, "budget")     /* the upload budget of its rule is spent */ \
	X(LIMIT, "limit")       /* a limit of the agent */ \
	X(DRAIN, "drain")       /* the agent stops */ \
	X(ERROR, "error")       /* a fault of ours: memory, descriptors */

/* clang-format on */

enum close_reason {

#define CLOSE_ENUM(name, word) CLOSE_##name,
	CLOSE_TABLE(CLOSE_ENUM)
#undef CLOSE_ENUM
	    CLOSE_COUNT
};

/** The static word for a record, never NULL. */
const char *close_word(enum close_reason why);

#endif
