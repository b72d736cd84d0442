/* The broker's door: listeners and connections, plain HTTP/1. */
#ifndef IDENTITY_BROKER_H
#define IDENTITY_BROKER_H

#include "identity/identity.h"

struct broker;

enum status broker_create(
    struct identity *id, struct broker **out) ATTR_MUST_USE;
/** Closes everything at once; NULL-safe. */
void broker_destroy(struct broker *b);
/** Takes @fd, also on failure; copies @name. E_NOMEM, E_INVALID. */
enum status broker_listen(
    struct broker *b, int fd, const char *name) ATTR_MUST_USE;
/** Stops accepting; those who wait get 503; idle connections close. */
void broker_drain(struct broker *b);

#endif
