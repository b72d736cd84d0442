/* Between the files of the stand-ins. */
#ifndef TESTS_UNIT_PROXY_FAKES_INSIDE_H
#define TESTS_UNIT_PROXY_FAKES_INSIDE_H

#include "tests/unit/proxy/fakes.h"

struct policy {
	unsigned refs;
};

/* One answer that is owed, given by the loop. */
struct later {
	void (*call)(struct later *l);
	void *arg;
};

/** Zeroed, and spared by the sweeps of failing allocations. */
void *fake_alloc(size_t bytes);
struct later *later_new(void (*call)(struct later *l), void *arg);

#endif
