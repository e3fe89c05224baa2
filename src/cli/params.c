/* params.c: the command "/params" of heed chat (params.h). */
#include "params.h"
#include "aliases.h"
#include "suggest.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 40 };

/* Returns whether this is an option that chooses tokens, or -n. */
static bool is_sampling(const heed_cli_option *o)
{
    size_t begin = offsetof(heed_cli_task, sampling),
           end = begin + sizeof(heed_cli_sampling_options);
    return (o->kind != HEED_CLI_HEADING && o->offset >= begin && o->offset < end) ||
           !strcmp(o->name, "n");
}

static bool is_real(const heed_cli_option *o)
{
    return o->kind == HEED_CLI_NUMBER || o->kind == HEED_CLI_AMOUNT;
}

static bool is_whole(const heed_cli_option *o)
{
    return o->kind == HEED_CLI_INTEGER || o->kind == HEED_CLI_NATURAL ||
           o->kind == HEED_CLI_POSITIVE;
}

/* Finds the parameter called `name`. If there is none, returns NULL, and the error names the
   nearest. */
static const heed_cli_option *find_parameter(heed_cli_task *t, const char *name)
{
    const heed_cli_alias *alias = heed_cli_alias_find(t->command, name, strlen(name));
    if (alias) name = alias->name;
    const char *names[64];
    char suggestion[HEED_CLI_SUGGESTION];
    size_t count = 0;
    const heed_cli_option *o;
    for (heed_cli_option_walk walk = {.command = t->command}; (o = heed_cli_option_next(&walk));) {
        if (!is_sampling(o)) continue;
        bool same = !strcmp(o->name, name);
        if (is_real(o) || is_whole(o)) {
            if (same) return o;
            if (count < sizeof names / sizeof *names) names[count++] = o->name;
        } else if (same) {
            heed_fail(&t->error, HEED_E_ARG,
                      "/params %s: it can be chosen on the command line alone, with --%s", name,
                      name);
            return NULL;
        }
    }
    heed_cli_suggest(suggestion, "", name, names, count);
    heed_fail(&t->error, HEED_E_ARG,
              "/params %s: there is no such parameter%s (/params lists them)", name, suggestion);
    return NULL;
}

/* Writes the options that were given into *how. Writes them into *in_force too, with the settings
   of the model's files for those that were not given. Checks all of them as the next answer would.
   */
static heed_status resolve(heed_cli_task *t, const heed_chat *chat, heed_generation_options *how,
                           heed_generation_options *in_force)
{
    const heed_cli_option *o, *count = NULL;
    for (heed_cli_option_walk walk = {.command = t->command}; (o = heed_cli_option_next(&walk));)
        if (!strcmp(o->name, "n")) count = o;
    heed_optional_int most = {0};
    if (count) most = *(const heed_optional_int *)((const char *)t + count->offset);
    heed_status status = heed_cli_task_generation(t, most, how);
    return status == HEED_OK ? heed_chat_settings(chat, how, in_force, &t->error) : status;
}

/* Prints a note if option o has no effect. */
static heed_status note_idle(heed_cli_task *t, const heed_generation_options *how,
                             const heed_cli_option *o)
{
    char *notes = NULL, begin[LONGEST_NAME + 16];
    heed_status status = heed_transformer_idle_options(t->transformer, how, &notes, &t->error);
    snprintf(begin, sizeof begin, "note: --%s has", o->name);
    const char *found = notes ? strstr(notes, begin) : NULL;
    if (found) heed_cli_note("%.*s", (int)strcspn(found, "\n"), found);
    heed_free(notes);
    return status;
}

/* Prints the value that option o has in the struct `values`. */
static void show(const heed_cli_option *o, const void *values)
{
    const void *field = (const char *)values + o->offset;
    if (is_real(o)) {
        heed_cli_note("%-16s %.15g", o->name, ((const heed_optional_real *)field)->value);
        return;
    }
    heed_optional_int number = {0};
    if (o->kind == HEED_CLI_POSITIVE) number = heed_int(*(const int64_t *)field);
    else number = *(const heed_optional_int *)field;
    if (number.set) heed_cli_note("%-16s %lld", o->name, (long long)number.value);
    else
        heed_cli_note("%-16s %s", o->name,
                      strcmp(o->name, "n") ? "from the clock" : "as many as fit");
}

/* Shows the parameter `only`, or all parameters if it is NULL. */
static heed_status show_in_force(heed_cli_task *t, const heed_chat *chat,
                                 const heed_cli_option *only)
{
    heed_generation_options how, in_force;
    const heed_cli_option *o;
    heed_status status = resolve(t, chat, &how, &in_force);
    if (status != HEED_OK) return status;
    heed_cli_task *shown = malloc(t->command->bytes);
    if (!shown) return heed_fail(&t->error, HEED_E_NOMEM, "out of memory for the parameters");
    memcpy(shown, t, t->command->bytes);
    shown->sampling.how = in_force;
    for (heed_cli_option_walk walk = {.command = t->command}; (o = heed_cli_option_next(&walk));) {
        bool wanted = only ? o == only : is_sampling(o) && (is_real(o) || is_whole(o));
        if (wanted) show(o, shown);
    }
    free(shown);
    return HEED_OK;
}

/* Changes one parameter. If the settings would not be valid, it keeps its old value. */
static heed_status change(heed_cli_task *t, const heed_chat *chat, const heed_cli_option *o,
                          const char *value)
{
    heed_generation_options how, in_force;
    char *field = (char *)t + o->offset, before[sizeof(heed_optional_real)];
    memcpy(before, field, sizeof before);
    const char *problem = heed_cli_option_set(o, t, value);
    if (problem)
        return heed_fail(&t->error, HEED_E_ARG, "/params %s %s: %s", o->name, value, problem);
    heed_status status = resolve(t, chat, &how, &in_force);
    if (status == HEED_OK) status = note_idle(t, &how, o);
    if (status != HEED_OK) memcpy(field, before, sizeof before);
    return status;
}

heed_status heed_cli_params_command(heed_cli_task *t, const heed_chat *chat, char *rest)
{
    char name[LONGEST_NAME + 1];
    size_t length = strlen(rest);
    while (length && strchr(" \t", rest[length - 1])) rest[--length] = 0;
    rest += strspn(rest, " \t-");
    size_t end = strcspn(rest, " \t=");
    if (!*rest) return show_in_force(t, chat, NULL);
    snprintf(name, sizeof name, "%.*s", (int)end, rest);
    for (char *c = name; *c; c++)
        if (*c == '_') *c = '-';
    const heed_cli_option *o = find_parameter(t, name);
    if (!o) return HEED_E_ARG;
    const char *value = rest + end + strspn(rest + end, " \t=");
    heed_status status = *value ? change(t, chat, o, value) : HEED_OK;
    return status == HEED_OK ? show_in_force(t, chat, o) : status;
}
