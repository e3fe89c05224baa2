#define HEED_UPDATE_TABLE heed_update_avx512
#include "train/update_rules.h"
