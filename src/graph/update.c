/* update.c: the updates of parameters for backends that bring none of their own. */
#define HEED_UPDATE_TABLE heed_update_generic
#include "graph/update_rules.h"
