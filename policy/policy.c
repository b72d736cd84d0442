/* policy. */
#include "policy/policy.h"
