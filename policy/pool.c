/* Memory of one policy: taken piece by piece, freed at once. */
#include "policy/pool.h"

#include <stdlib.h>
#include <string.h>

struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

enum { CHUNK_BYTES = 32768 };

void
pool_release(struct pool *p)
{
	while (p->head != NULL) {
		struct pool_chunk *c = p->head;

		p->head = c->next;
		free(c);
	}
}

static void *
take(struct pool *p, size_t need, size_t align)
{
	struct pool_chunk *c = p->head;
	size_t at = 0;

	if (c != NULL)
		at = (c->used + align - 1) / align * align;
	if (c == NULL || c->size < at || c->size - at < need) {
		size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;

		c = calloc(1, sizeof *c + size);
		if (c == NULL)
			return NULL;
		c->size = size;
		c->next = p->head;
		p->head = c;
		at = 0;
	}
	c->used = at + need;
	return (char *)c->bytes + at;
}

void *
pool_alloc(struct pool *p, size_t n, size_t bytes)
{
	size_t need;

	if (__builtin_mul_overflow(n, bytes, &need) || need > SIZE_MAX / 4)
		return NULL;
	return take(p, need == 0 ? 1 : need, _Alignof(max_align_t));
}

const char *
pool_copy(struct pool *p, struct slice s)
{
	char *to = take(p, s.n + 1, 1);

	if (to != NULL && s.n > 0)
		memcpy(to, s.p, s.n);
	return to;
}
