/* Compiler attributes under one name each. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define ATTR_MUST_USE      __attribute__((warn_unused_result))
#define ATTR_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define ATTR_NORETURN      __attribute__((noreturn))
#define ATTR_UNUSED        __attribute__((unused))
#define ATTR_ALWAYS_INLINE __attribute__((always_inline))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
