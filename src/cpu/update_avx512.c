#include "cpu/update_internal.h"

#define HEED_UPDATE_TABLE heed_update_avx512
#include "graph/update_rules.h"
