#define HEED_UPDATE_TABLE heed_update_generic
#include "train/update_rules.h"
