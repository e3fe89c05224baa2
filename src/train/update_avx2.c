#define HEED_UPDATE_TABLE heed_update_avx2
#include "train/update_rules.h"
