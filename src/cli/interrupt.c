#include "interrupt.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    (void)number;
    if (asked) _exit(130);
    asked = 1;
}

void interrupt_listen(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, reported as one */
}

void file_limit_is_an_error(void)
{
    signal(SIGXFSZ, SIG_IGN);
}

bool interrupted(void *unused)
{
    (void)unused;
    return asked != 0;
}

void interrupt_forget(void)
{
    asked = 0;
}
