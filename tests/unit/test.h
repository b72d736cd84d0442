/* cmocka.h needs these four first, in any order: keep them from the sorter. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* gcc does not see that a failed assertion never returns. */
#pragma GCC diagnostic ignored "-Wnull-dereference"

#endif
