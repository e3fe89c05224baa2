/* terminal.c: prints to stderr (terminal.h). */
#include "terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24 };

static bool bar_visible;  /* a bar is on the terminal */
static double last_drawn; /* when it was drawn */

bool heed_cli_terminal_is_live(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !getenv("NO_COLOR") && !getenv("CI") && term &&
           strcmp(term, "dumb");
}

/* Returns the seconds of a clock that never goes back. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int heed_cli_report_error(const char *command, const heed_error *error)
{
    heed_cli_progress_end();
    fprintf(stderr, "heed %s: %s\n", command,
            error->message[0] ? error->message : heed_status_name(error->status));
    return error->status == HEED_E_CANCELLED ? 130 : 1;
}

void heed_cli_note(const char *format, ...)
{
    heed_cli_progress_end();
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* Returns a cell of the bar; the share `filled` of it is done, all of it from 1 on. */
static const char *bar_cell(double filled)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    if (filled >= 1) return "█";
    if (filled <= 0) return "·";
    return eighths[(int)(8 * filled)];
}

void heed_cli_progress_show(double fraction, const char *format, ...)
{
    double time = now();
    if (!heed_cli_terminal_is_live() || (bar_visible && time - last_drawn < 0.1 && fraction < 1))
        return;
    last_drawn = time;
    bar_visible = true;
    if (isnan(fraction) || fraction < 0) fraction = 0;
    if (fraction > 1) fraction = 1;
    fprintf(stderr, "\r\033[K%3.0f%% \033[36m", 100 * fraction);
    double cells = fraction * BAR_CELLS;
    for (int i = 0; i < BAR_CELLS; i++) fputs(bar_cell(cells - i), stderr);
    fputs("\033[0m ", stderr);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fflush(stderr);
}

void heed_cli_progress_end(void)
{
    if (!bar_visible) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar_visible = false;
}

const char *heed_cli_duration_text(double seconds, char text[32])
{
    long long s = isfinite(seconds) ? (long long)(seconds + 0.5) : 0;
    if (s >= 3600) snprintf(text, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
    else if (s >= 60) snprintf(text, 32, "%lld min %02lld s", s / 60, s % 60);
    else snprintf(text, 32, "%lld s", s);
    return text;
}

const char *heed_cli_bytes_text(double bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    int decimals = 1;
    if (unit == 0) decimals = 0;
    else if (bytes < 10) decimals = 2;
    snprintf(text, 32, "%.*f %s", decimals, bytes, units[unit]);
    return text;
}
