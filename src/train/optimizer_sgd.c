#include "train/optimizer.h"

/* Stochastic gradient descent: g += decay * x; b = momentum * b + (1 - dampening) * g (b = g at first); x -= rate * b, or, with
   Nesterov's look-ahead, x -= rate * (g + momentum * b). Source: Sutskever et al. 2013; torch.optim.SGD. */
void heed_update_sgd(const heed_update *update, double decay, float *value, float *gradient, float *const *slot, size_t n)
{
    const heed_optimizer_options *o = update->options;
    float pull = (float)decay, factor = update->factor, momentum = (float)o->momentum, fresh = (float)(1 - o->dampening);
    float minus_rate = (float)-update->rate, *buffer = slot[0];
    for (size_t i = 0; i < n; i++) gradient[i] *= factor;
    if (decay != 0)
        for (size_t i = 0; i < n; i++) gradient[i] = gradient[i] + pull * value[i];
    if (o->momentum != 0) {
        if (update->step == 1)
            for (size_t i = 0; i < n; i++) buffer[i] = gradient[i];
        else
            for (size_t i = 0; i < n; i++) buffer[i] = buffer[i] * momentum + fresh * gradient[i];
        if (o->nesterov)
            for (size_t i = 0; i < n; i++) gradient[i] = gradient[i] + momentum * buffer[i];
        else
            for (size_t i = 0; i < n; i++) gradient[i] = buffer[i];
    }
    for (size_t i = 0; i < n; i++) value[i] = value[i] + minus_rate * gradient[i];
}
