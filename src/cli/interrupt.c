/* interrupt.c: handles signals that end a task (interrupt.h). */
#include "interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { INTERRUPTED = 130 }; /* the exit status */

static volatile sig_atomic_t asked;   /* a signal has asked to finish */
static volatile sig_atomic_t came[3]; /* which of `listened` have come */
static volatile sig_atomic_t at_once; /* a signal ends the program at once */
/* SIGINT was ignored when the program began, as in background jobs of a script */
static volatile sig_atomic_t in_background;
static const int listened[3] = {SIGINT, SIGTERM, SIGHUP};

/* Returns whether a signal is the terminal's Ctrl-C while this program runs in the background. A
   SIGINT that another process sent to this program is meant for it. */
static bool is_meant_for_another(int number, const siginfo_t *information)
{
    return number == SIGINT && in_background && information && information->si_code > 0;
}

/* Handles a signal. SIGINT and SIGTERM end the program at once if they come again. SIGHUP does not,
   because a terminal that closes may send it twice: once from the kernel and once from the shell.
   */
static void on_signal(int number, siginfo_t *information, void *unused)
{
    (void)unused;
    if (is_meant_for_another(number, information)) return;
    if (at_once) _exit(INTERRUPTED);
    for (int i = 0; i < 3; i++) {
        if (listened[i] != number) continue;
        if (came[i] && number != SIGHUP) _exit(INTERRUPTED);
        came[i] = 1;
    }
    asked = 1;
}

void heed_cli_interrupt_listen(bool asks)
{
    at_once = !asks;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 3; i++) {
        struct sigaction before;
        bool ignored = sigaction(listened[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (listened[i] == SIGINT) in_background = ignored;
        else if (ignored) continue;
        sigaction(listened[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, reported as one */
}

void heed_cli_ignore_file_limit_signal(void)
{
    signal(SIGXFSZ, SIG_IGN);
}

/* Without an open file in its place, the number of a closed stream would go to the next file that
   is opened, and what is printed would go into that file. /dev/null is opened for reading where the
   program writes and for writing where it reads, so that using a closed stream still fails. */
void heed_cli_open_standard_streams(void)
{
    static const int flags[3] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int number = 0; number < 3; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", flags[number]) != number) return;
}

bool heed_cli_interrupt_asked(void)
{
    return asked != 0;
}

bool heed_cli_interrupted(void *unused)
{
    (void)unused;
    return asked != 0 || ferror(stdout);
}

bool heed_cli_interrupt_is_final(void)
{
    return came[1] || came[2];
}

void heed_cli_interrupt_forget(void)
{
    if (heed_cli_interrupt_is_final()) return;
    asked = 0;
    came[0] = 0;
}
