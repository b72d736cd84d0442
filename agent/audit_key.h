/* The Ed25519 key of the audit's checkpoints. */
#ifndef AGENT_AUDIT_KEY_H
#define AGENT_AUDIT_KEY_H

#include "agent/audit_line.h"

/** A private key with its public half, or the latter alone. */
struct audit_key;

/**
 * STATE/audit.key, made with mode 0600 if it is not there; STATE/audit.pub
 * is put next to it where it is not there or is another. *out is owned. E_DENIED: others may read the key.
 * E_INVALID: not an Ed25519 key. E_IO.
 */
enum status audit_key_open(const char *state_dir, struct audit_key **out,
    struct status_detail *detail) ATTR_MUST_USE;
/** A public key from PEM text. E_SYNTAX, E_INVALID. *out is owned. */
enum status audit_key_public(
    struct slice pem, struct audit_key **out) ATTR_MUST_USE;
/** NULL-safe. */
void audit_key_destroy(struct audit_key *key);

/** First 16 hex digits of SHA-256 over the raw public key; borrowed. */
const char *audit_key_id(const struct audit_key *key);
/** Signs @message; needs the private half. */
enum status audit_key_sign(const struct audit_key *key, struct slice message,
    char out[AUDIT_SIGNATURE_BYTES]) ATTR_MUST_USE;
/** Whether @signature (128 hex digits) is this key's over @message. */
bool audit_key_verify(const struct audit_key *key, struct slice message,
    struct slice signature) ATTR_MUST_USE;

#endif
