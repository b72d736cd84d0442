/* Requests, answers and policies for the tests of policy/. */
#ifndef TESTS_UNIT_POLICY_FIXTURE_H
#define TESTS_UNIT_POLICY_FIXTURE_H

#include "tests/unit/test.h"

#include "policy/policy.h"
#include "policy/target.h"

struct fixture {
	struct host host;
	struct peer peer;
	struct policy_request request;
	struct policy_answer answer;
	char text[1024];
	const char *chain[16];
	struct addr addresses[16];
};

/** 10.20.0.4 is this machine. */
extern const struct policy_self fixture_self;

/** 2026-11-23T00:00:00Z. */
enum { FIXTURE_NOW = 1795392000 };

/** Loads, and fails the test with the first issue otherwise. */
struct policy *fixture_load(const char *text);
/** User alice, uid 1000, group data (2000), job-1.service. */
void fixture_request(struct fixture *f, const char *host, uint16_t port);

/** What is seen of a request; it is to outlive the fixture's use of it. */
struct fixture_sight {
	struct http1_fields fields;
	struct policy_target target;
	char text[2048];
};

/** @path with its query, if any; @field is "name: value" or NULL. */
void fixture_see(struct fixture *f, struct fixture_sight *s, const char *method,
    const char *path, const char *field);
/** Space-joined CNAME targets, then addresses. */
void fixture_resolves(struct fixture *f, const char *resolves);
struct policy_verdict fixture_name(
    const struct policy *p, const char *host, uint16_t port);
/** Name and route on port 443. */
struct policy_verdict fixture_route(
    const struct policy *p, const char *host, const char *resolves);

#endif
