/* chain_model_program.c: writes a chain model from the command line, for shell tests. */
#include "support/chain_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SCRIPTS = 64 };

static const char usage[] =
    "Usage: chain_model FOLDER [options]\n"
    "Writes a llama whose next token depends on the last token alone.\n"
    "  --script TEXT            what follows what (repeatable; ABC!XYZ$). The symbols ^ $ ! ~ are\n"
    "                           the ids 256 <|bos|>, 257 <|end|>, 258 <|eot|>, 259 <|pad|>.\n"
    "  --eos ID[,ID...]|none    eos_token_id of config.json (257)\n"
    "  --config MEMBERS         more members of config.json, such as '\"top_k\": 3'\n"
    "  --generation JSON        the text of generation_config.json (no such file)\n"
    "  --tokenizer-config MEMBERS  more members of tokenizer_config.json\n"
    "  --template TEXT          the chat template in tokenizer_config.json (none)\n"
    "  --width N                d_model, at least 260 (260; 512 fits every quantized type)\n"
    "  --context N              max_position_embeddings (256)\n"
    "  --bf16                   weights in bf16\n"
    "  --tied                   \"tie_word_embeddings\": true, though lm_head is in the file\n"
    "  --add-bos                the tokenizer puts <|bos|> before a text\n"
    "  --without-tokenizer      no tokenizer.json, no tokenizer_config.json\n";

/* An option and its target, which is the one pointer that is not NULL. */
typedef struct option {
    const char *name;
    const char **text;
    int *number;
    bool *flag;
} option;

/* Sets the target. `value` is the next word; NULL if there is none. Returns false after a message.
   */
static bool take(const option *o, const char *value)
{
    if (o->flag) {
        *o->flag = true;
        return true;
    }
    if (!value) {
        fprintf(stderr, "chain_model: %s needs a value\n", o->name);
        return false;
    }
    if (o->text) *o->text = value;
    else *o->number = atoi(value);
    return true;
}

int main(int count, char **arguments)
{
    const char *scripts[MOST_SCRIPTS], *script = NULL;
    chain_model model = {0};
    const option options[] = {
        {"--script", &script, NULL, NULL},
        {"--eos", &model.eos, NULL, NULL},
        {"--config", &model.config, NULL, NULL},
        {"--generation", &model.generation, NULL, NULL},
        {"--tokenizer-config", &model.tokenizer_config, NULL, NULL},
        {"--template", &model.template, NULL, NULL},
        {"--width", NULL, &model.width, NULL},
        {"--context", NULL, &model.context, NULL},
        {"--bf16", NULL, NULL, &model.bf16},
        {"--tied", NULL, NULL, &model.tied},
        {"--add-bos", NULL, NULL, &model.add_bos},
        {"--without-tokenizer", NULL, NULL, &model.without_tokenizer},
    };
    if (count < 2 || arguments[1][0] == '-') {
        fputs(usage, stderr);
        return 2;
    }
    for (int i = 2; i < count; i++) {
        const option *o = options, *end = options + sizeof options / sizeof *options;
        while (o < end && strcmp(o->name, arguments[i]) != 0) o++;
        if (o == end) {
            fprintf(stderr, "chain_model: unknown option %s\n%s", arguments[i], usage);
            return 2;
        }
        if (!take(o, i + 1 < count ? arguments[i + 1] : NULL)) return 2;
        i += !o->flag;
        if (o->text != &script) continue;
        if (model.script_count == MOST_SCRIPTS) return 2;
        scripts[model.script_count++] = script;
        model.scripts = scripts;
    }
    return chain_model_write(arguments[1], &model) ? 0 : 1;
}
