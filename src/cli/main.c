/* The program: finds the verb, hands over. Verbs stand in verbs.def, each in a file of its own. */
#include "options.h"

#include <heed/heed.h>
#include <stdio.h>
#include <string.h>

#define HEED_VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef HEED_VERB

static const verb *const table[] = {
#define HEED_VERB(name) &verb_##name,
#include "verbs.def"
#undef HEED_VERB
};
enum { VERBS = sizeof table / sizeof *table };

static void print_help(FILE *file)
{
    fprintf(file, "heed %s - Transformers in C: train, run and inspect them, from the Hugging Face directory as it is.\n\n"
                  "Usage: heed VERB [options]      heed VERB --help explains one\n\n", heed_version());
    for (int i = 0; i < VERBS; i++) fprintf(file, "  %-10s %s\n", table[i]->name, table[i]->summary);
    fprintf(file, "\nA first walk:\n"
                  "  heed train --data my.txt --out run --tokenizer char --layers 4 --d-model 128 --heads 4 --context 128 --max-steps 1000\n"
                  "  heed generate -m run -p \"Once\" -n 200 --temp 0.8\n"
                  "  heed info MODEL-FOLDER\n\n"
                  "Data goes to stdout, everything else to stderr. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n"
                  "Environment: HEED_ISA=generic|avx2|avx512, OMP_NUM_THREADS, NO_COLOR.\n");
}

/* Every option of every verb for the shell: one line a verb, `compgen -W` reads it. */
static int print_completion(void)
{
    printf("# bash completion of heed: source <(heed --completion)\n_heed() {\n  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}\n"
           "  if [ $COMP_CWORD -eq 1 ]; then COMPREPLY=($(compgen -W \"");
    for (int i = 0; i < VERBS; i++) printf("%s ", table[i]->name);
    printf("\" -- \"$word\")); return; fi\n  case $verb in\n");
    for (int i = 0; i < VERBS; i++) {
        printf("  %s) options=\"", table[i]->name);
        for (const option *o = table[i]->options; o->name; o++)
            if (o->kind != OPTION_HEADING) printf("--%s ", o->name);
        printf("--help\" ;;\n");
    }
    printf("  esac\n  case $word in -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;; *) COMPREPLY=($(compgen -f -- \"$word\")) ;; esac\n}\n"
           "complete -o filenames -F _heed heed\n");
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || (!strcmp(word, "help") && argc == 2)) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(word, "--version") || !strcmp(word, "version")) {
        printf("heed %s\n", heed_version());
        return 0;
    }
    if (!strcmp(word, "--completion")) return print_completion();
    if (!strcmp(word, "help")) word = argv[2];
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(word, table[i]->name)) continue;
        if (!strcmp(argv[1], "help")) {
            options_help(table[i], stdout);
            return 0;
        }
        return table[i]->run(argc - 2, argv + 2);
    }
    const char *names[VERBS];
    for (int i = 0; i < VERBS; i++) names[i] = table[i]->name;
    const char *near = nearest_word(word, names, VERBS);
    fprintf(stderr, "heed: unknown verb \"%s\"%s%s%s\nSee: heed --help\n", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return 2;
}
