/* proxy. */
#include "proxy/proxy.h"
