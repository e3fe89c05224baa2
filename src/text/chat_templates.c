/* chat_templates.c: reads and writes the chat templates of a tokenizer by name.

   transformers stores them in these places:
     chat_template.jinja                   "default"
     additional_chat_templates/NAME.jinja  NAME
     tokenizer_config.json                 "chat_template": a text, which is "default"; a list of
                                           {"name", "template"}; an object {name: template}
   If chat_template.jinja exists, the templates of tokenizer_config.json are ignored. Without it,
   the files NAME.jinja add to them (transformers would then have no default). chat_template.json,
   {"chat_template": ...} in the same forms, belongs to processors and is read if there are no other
   templates. GGUF files have tokenizer.chat_template and tokenizer.chat_template.NAME. */
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/text_internal.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES = 4 << 20 };
static const char default_name[] = "default", member[] = "chat_template", ending[] = ".jinja";
static const char default_file[] = "chat_template.jinja", more[] = "additional_chat_templates";

/* ---- the list ---- */

static bool add(json_t *templates, const char *name, const json_t *text)
{
    return json_object_set(templates, name, (json_t *)text) == 0;
}

/* Adds the templates of a "chat_template"; values of other forms are ignored. False if out of
   memory. */
static bool add_value(json_t *templates, const json_t *value)
{
    bool ok = true;
    if (json_is_string(value)) return add(templates, default_name, value);
    for (size_t i = 0; ok && i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *text = json_object_get(one, "template");
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && json_is_string(text)) ok = add(templates, name, text);
    }
    bool is_object = json_is_object(value) && !heed_json_foreign(value);
    for (void *at = is_object ? json_object_iter((json_t *)value) : NULL; ok && at;
         at = json_object_iter_next((json_t *)value, at))
        if (json_is_string(json_object_iter_value(at)))
            ok = add(templates, json_object_iter_key(at), json_object_iter_value(at));
    return ok;
}

bool heed_templates_read(heed_tokenizer *tokenizer)
{
    tokenizer->templates = json_object();
    return tokenizer->templates &&
           add_value(tokenizer->templates, json_object_get(tokenizer->config, member));
}

size_t heed_tokenizer_template_count(const heed_tokenizer *tokenizer)
{
    return json_object_size(tokenizer->templates);
}

const char *heed_tokenizer_template_name(const heed_tokenizer *tokenizer, size_t index)
{
    void *at = json_object_iter(tokenizer->templates);
    while (at && index-- > 0) at = json_object_iter_next(tokenizer->templates, at);
    return at ? json_object_iter_key(at) : NULL;
}

const char *heed_tokenizer_find_template(const heed_tokenizer *tokenizer, const char *name,
                                         size_t *length)
{
    const json_t *text = json_object_get(tokenizer->templates, name);
    *length = json_string_length(text);
    return json_string_value(text);
}

const char *heed_tokenizer_chat_template(const heed_tokenizer *tokenizer, size_t *length)
{
    return heed_tokenizer_find_template(tokenizer, default_name, length);
}

void heed_tokenizer_list_templates(const heed_tokenizer *tokenizer, heed_buffer *list)
{
    const char *name;
    for (size_t i = 0; (name = heed_tokenizer_template_name(tokenizer, i)); i++)
        heed_buffer_printf(list, "%s%.60s", i ? ", " : "", name);
}

/* ---- writing the templates into the configuration ---- */

/* Returns the value of "chat_template": a text for one template, a list for several. */
static json_t *value_of(const json_t *templates)
{
    json_t *only = json_object_get(templates, default_name);
    if (only && json_object_size(templates) == 1) return json_incref(only);
    json_t *list = json_array();
    for (void *at = json_object_iter((json_t *)templates); list && at;
         at = json_object_iter_next((json_t *)templates, at)) {
        json_t *one = json_object();
        bool ok = one &&
                  json_object_set_new(one, "name", json_string(json_object_iter_key(at))) == 0 &&
                  json_object_set(one, "template", json_object_iter_value(at)) == 0;
        if (ok) ok = json_array_append(list, one) == 0;
        json_decref(one);
        if (ok) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

static heed_status put_into_config(heed_tokenizer *tokenizer, heed_error *error)
{
    json_t *config = tokenizer->config ? heed_json_copy(tokenizer->config)
                                       : heed_tokenizer_make_config(tokenizer);
    if (!config || json_object_set_new(config, member, value_of(tokenizer->templates)) != 0) {
        json_decref(config);
        return heed_fail_memory(error, 4096, "the chat templates");
    }
    json_decref(tokenizer->config);
    tokenizer->config = config;
    return HEED_OK;
}

/* ---- setting ---- */

static heed_status set_text(heed_tokenizer *tokenizer, const char *name, const heed_text *text,
                            const char *where, heed_error *error)
{
    if (!heed_utf8_valid(text->bytes, text->length))
        return heed_fail(error, HEED_E_FORMAT, "%s: a chat template must be valid UTF-8", where);
    json_t *value = json_stringn_nocheck(text->bytes, text->length);
    if (value && json_object_set_new(tokenizer->templates, name, value) == 0) return HEED_OK;
    return heed_fail_memory(error, text->length, where);
}

heed_status heed_tokenizer_set_chat_template(heed_tokenizer *tokenizer, const char *text,
                                             size_t length, const char *where, heed_error *error)
{
    json_t *before = tokenizer->templates;
    tokenizer->templates = json_object();
    heed_status status = tokenizer->templates ? HEED_OK : heed_fail_memory(error, length, where);
    if (status == HEED_OK)
        status = set_text(tokenizer, default_name, &(heed_text){text, length}, where, error);
    if (status == HEED_OK) status = put_into_config(tokenizer, error);
    json_decref(status == HEED_OK ? before : tokenizer->templates);
    if (status != HEED_OK) tokenizer->templates = before;
    return status;
}

heed_status heed_tokenizer_use_template(heed_tokenizer *tokenizer, const char *name,
                                        heed_error *error)
{
    const json_t *text = json_object_get(tokenizer->templates, name);
    if (!text || !add(tokenizer->templates, default_name, text))
        return heed_fail_memory(error, 256, "the chat templates");
    return put_into_config(tokenizer, error);
}

static heed_status read_text(heed_tokenizer *tokenizer, const char *name, const char *path,
                             heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, TEMPLATE_BYTES, &text, error);
    const heed_text whole = {text.data ? text.data : "", text.length};
    if (status == HEED_OK) status = set_text(tokenizer, name, &whole, path, error);
    heed_buffer_free(&text);
    return status;
}

heed_status heed_tokenizer_read_chat_template(heed_tokenizer *tokenizer, const char *path,
                                              heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, TEMPLATE_BYTES, &text, error);
    if (status == HEED_OK)
        status = heed_tokenizer_set_chat_template(tokenizer, text.data ? text.data : "",
                                                  text.length, path, error);
    heed_buffer_free(&text);
    return status;
}

/* ---- files of a folder ---- */

static bool is_file(const char *path)
{
    return heed_path_exists(path) && !heed_path_is_directory(path);
}

/* Reads chat_template.jinja. */
static heed_status read_default(heed_tokenizer *tokenizer, const char *folder, heed_error *error)
{
    char *path = heed_path_join(folder, default_file);
    if (!path) return heed_fail_memory(error, strlen(folder), "a path");
    heed_status status = HEED_OK;
    if (is_file(path)) {
        json_object_clear(tokenizer->templates);
        status = read_text(tokenizer, default_name, path, error);
        tokenizer->templates_in_files = true;
    }
    free(path);
    return status;
}

/* Reads NAME.jinja as the template NAME. */
static heed_status read_named(heed_tokenizer *tokenizer, const char *folder, const char *file,
                              heed_error *error)
{
    size_t length = strlen(file), end = sizeof ending - 1;
    if (length <= end || strcmp(file + length - end, ending) != 0) return HEED_OK;
    char *path = heed_path_join(folder, file), *name = heed_string_copy(file);
    heed_status status = path && name ? HEED_OK : heed_fail_memory(error, length, "a path");
    if (status == HEED_OK && is_file(path)) {
        name[length - end] = 0;
        status = read_text(tokenizer, name, path, error);
        tokenizer->templates_in_files = true;
    }
    free(path);
    free(name);
    return status;
}

/* Reads the files in additional_chat_templates. */
static heed_status read_more(heed_tokenizer *tokenizer, const char *folder, heed_error *error)
{
    char *path = heed_path_join(folder, more);
    if (!path) return heed_fail_memory(error, strlen(folder), "a path");
    DIR *stream = opendir(path);
    heed_status status = HEED_OK;
    if (!stream && errno != ENOENT && errno != ENOTDIR)
        status = heed_fail_system(error, "open the folder", path);
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));)
        status = read_named(tokenizer, path, entry->d_name, error);
    if (stream) closedir(stream);
    free(path);
    return status;
}

/* Reads chat_template.json. */
static heed_status read_processor(heed_tokenizer *tokenizer, const char *folder, heed_error *error)
{
    json_t *json = NULL;
    char *path = heed_path_join(folder, "chat_template.json");
    if (!path) return heed_fail_memory(error, strlen(folder), "a path");
    heed_status status = is_file(path) ? heed_json_read(&json, path, error) : HEED_OK;
    if (status == HEED_OK && !add_value(tokenizer->templates, json_object_get(json, member)))
        status = heed_fail_memory(error, 4096, path);
    json_decref(json);
    free(path);
    return status;
}

heed_status heed_templates_read_folder(heed_tokenizer *tokenizer, const char *folder,
                                       heed_error *error)
{
    size_t before = json_object_size(tokenizer->templates);
    HEED_TRY(read_default(tokenizer, folder, error));
    HEED_TRY(read_more(tokenizer, folder, error));
    size_t after = json_object_size(tokenizer->templates);
    if (after == 0) HEED_TRY(read_processor(tokenizer, folder, error));
    bool is_new = tokenizer->templates_in_files || json_object_size(tokenizer->templates) > before;
    return is_new ? put_into_config(tokenizer, error) : HEED_OK;
}

/* ---- saving ---- */

/* Returns whether a template can be stored in a file of this name. */
static bool is_file_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static heed_status write_text(const char *folder, const char *name, const json_t *text,
                              heed_error *error)
{
    char *path = heed_path_join(folder, name);
    if (!path) return heed_fail_memory(error, strlen(folder), "a path");
    heed_status status = heed_file_write(path, json_string_value(text), json_string_length(text),
                                         error);
    free(path);
    return status;
}

static heed_status write_named(const char *folder, const char *name, const json_t *text,
                               heed_error *error)
{
    heed_buffer file = {0};
    char *inner = heed_path_join(folder, more);
    heed_buffer_printf(&file, "%s%s", name, ending);
    bool ok = inner && !file.failed;
    heed_status status = ok ? heed_directory_make(inner, error)
                            : heed_fail_memory(error, strlen(name), "a path");
    if (status == HEED_OK) status = write_text(inner, file.data, text, error);
    heed_buffer_free(&file);
    free(inner);
    return status;
}

heed_status heed_templates_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error)
{
    const json_t *templates = tokenizer->templates;
    heed_status status = HEED_OK;
    if (!tokenizer->templates_in_files) return HEED_OK;
    for (void *at = json_object_iter((json_t *)templates); at && status == HEED_OK;
         at = json_object_iter_next((json_t *)templates, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *text = json_object_iter_value(at);
        if (strcmp(name, default_name) == 0) status = write_text(folder, default_file, text, error);
        else if (is_file_name(name)) status = write_named(folder, name, text, error);
    }
    return status;
}
