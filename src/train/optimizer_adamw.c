#include "train/optimizer_adam.h"

/* AdamW: x *= 1 - rate * decay, then Adam's step. Source: Loshchilov & Hutter 2019, algorithm 2; torch.optim.AdamW. */
void heed_update_adamw(const heed_update *update, double decay, float *value, float *gradient, float *const *slot, size_t n)
{
    heed_adam_numbers a = adam_numbers(update);
    float keep = (float)(1 - update->rate * decay), factor = update->factor;
    for (size_t i = 0; i < n; i++) gradient[i] *= factor;
    if (decay != 0)
        for (size_t i = 0; i < n; i++) value[i] *= keep;
    adam_move(&a, value, gradient, slot[0], slot[1], slot[2], n);
}
