/* sentencepiece.c: reads the .model files of SentencePiece (sentencepiece.h). protobuf-c unpacks
   the messages of sentencepiece_model.proto. */
#include "io/sentencepiece.h"

#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool heed_sentencepiece_is_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".model") || !strcmp(dot, ".spm"));
}

#ifdef HEED_HAS_PROTOBUF
#include "sentencepiece_model.pb-c.h"

typedef Heed__Sentencepiece__Model message;

static heed_text text_of(ProtobufCBinaryData bytes)
{
    return (heed_text){bytes.data ? (const char *)bytes.data : "", bytes.len};
}

/* Fills the arrays from the pieces of the message. */
static heed_status take_pieces(heed_sentencepiece *model, const message *m, const char *path,
                               heed_error *error)
{
    model->count = m->n_pieces;
    if (!model->count || model->count >= INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: a SentencePiece model of %zu pieces, expected 1 to 2147483646", path,
                         model->count);
    heed_text *pieces = heed_allocate(model->count, sizeof *pieces);
    float *scores = heed_allocate(model->count, sizeof *scores);
    int32_t *types = heed_allocate(model->count, sizeof *types);
    model->pieces = pieces;
    model->scores = scores;
    model->types = types;
    if (!pieces || !scores || !types)
        return heed_fail_memory(error, model->count * sizeof *pieces, "the pieces");
    for (size_t i = 0; i < model->count; i++) {
        pieces[i] = text_of(m->pieces[i]->piece);
        scores[i] = m->pieces[i]->score;
        types[i] = m->pieces[i]->type;
        if (!isfinite(scores[i]))
            return heed_fail(error, HEED_E_FORMAT, "%s: the score of piece %zu is not a number",
                             path, i);
    }
    return HEED_OK;
}

static void take_rules(heed_sentencepiece_rules *rules,
                       const Heed__Sentencepiece__NormalizerSpec *n)
{
    rules->charsmap = text_of(n->precompiled_charsmap);
    rules->add_dummy_prefix = n->add_dummy_prefix;
    rules->remove_extra_whitespaces = n->remove_extra_whitespaces;
    rules->escape_whitespaces = n->escape_whitespaces;
}

/* Fills the rest of the model. Absent messages have the defaults of their fields. */
static heed_status take_settings(heed_sentencepiece *model, const message *m, const char *path,
                                 heed_error *error)
{
    const Heed__Sentencepiece__TrainerSpec trainer_defaults =
        HEED__SENTENCEPIECE__TRAINER_SPEC__INIT;
    const Heed__Sentencepiece__NormalizerSpec rule_defaults =
        HEED__SENTENCEPIECE__NORMALIZER_SPEC__INIT;
    const Heed__Sentencepiece__TrainerSpec *t = m->trainer_spec ? m->trainer_spec
                                                                : &trainer_defaults;
    take_rules(&model->rules, m->normalizer_spec ? m->normalizer_spec : &rule_defaults);
    model->rules.treat_whitespace_as_suffix = t->treat_whitespace_as_suffix;
    model->kind = (heed_sentencepiece_kind)t->model_type;
    model->byte_fallback = t->byte_fallback;
    model->unk_id = t->unk_id;
    model->bos_id = t->bos_id;
    model->eos_id = t->eos_id;
    model->pad_id = t->pad_id;
    if (t->model_type == HEED_SENTENCEPIECE_UNIGRAM || t->model_type == HEED_SENTENCEPIECE_BPE)
        return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: the SentencePiece model has type %d, expected 1 (Unigram) or 2 (BPE)",
                     path, (int)t->model_type);
}

heed_status heed_sentencepiece_read(heed_sentencepiece **result, const char *path,
                                    heed_error *error)
{
    char *bytes = NULL;
    size_t size = 0;
    *result = NULL;
    HEED_TRY(heed_file_read_whole(path, &bytes, &size, error));
    message *m = heed__sentencepiece__model__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    if (!m)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: not a SentencePiece model, or truncated (%zu bytes)", path, size);
    heed_sentencepiece *model = heed_allocate(1, sizeof *model);
    if (!model) {
        heed__sentencepiece__model__free_unpacked(m, NULL);
        return heed_fail_memory(error, sizeof *model, "the model");
    }
    model->message = m;
    heed_status status = take_pieces(model, m, path, error);
    if (status == HEED_OK) status = take_settings(model, m, path, error);
    if (status == HEED_OK) *result = model;
    else heed_sentencepiece_free(model);
    return status;
}

static void free_message(void *m)
{
    heed__sentencepiece__model__free_unpacked(m, NULL);
}

#else

heed_status heed_sentencepiece_read(heed_sentencepiece **result, const char *path,
                                    heed_error *error)
{
    *result = NULL;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: this heed was built without protobuf-c, which SentencePiece models need; "
                     "install libprotobuf-c-dev and protobuf-c-compiler and build again, or give a "
                     "tokenizer.json",
                     path);
}

static void free_message(void *m)
{
    (void)m;
}
#endif

void heed_sentencepiece_free(heed_sentencepiece *model)
{
    if (!model) return;
    free((void *)model->pieces);
    free((void *)model->scores);
    free((void *)model->types);
    free_message(model->message);
    free(model);
}
