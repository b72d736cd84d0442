/* identity. */
#include "identity/identity.h"
