#include "train/optimizer_adam.h"

/* Adam with weight decay as an L2 term: g += decay * x, then Adam's step. Source: Kingma & Ba 2015, algorithm 1; torch.optim.Adam. */
void heed_update_adam(const heed_update *update, double decay, float *value, float *gradient, float *const *slot, size_t n)
{
    heed_adam_numbers a = adam_numbers(update);
    float pull = (float)decay, factor = update->factor;
    for (size_t i = 0; i < n; i++) gradient[i] *= factor;
    if (decay != 0)
        for (size_t i = 0; i < n; i++) gradient[i] = gradient[i] + pull * value[i];
    adam_move(&a, value, gradient, slot[0], slot[1], slot[2], n);
}
