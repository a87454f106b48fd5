#include "redact.h"

#include <stdio.h>

#include "tables.h"

// Not reversible by looking, and not meant to withstand guessing of known names.
static uint32_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (uint32_t)(h ^ h >> 32);
}

const char *redact_word(const char *text, char word[REDACT_WORD])
{
    snprintf(word, REDACT_WORD, "redacted-%08x", hash(text));
    return word;
}

static const char *hide(void *arg, struct snap *into, const struct column *c, const char *text)
{
    (void)arg;
    if (!text || c->secrecy == OPEN)
        return snap_strdup(into, text);
    if (c->type == COL_PROSE)
        return "redacted";
    char word[REDACT_WORD];
    return snap_strdup(into, redact_word(text, word));
}

struct snap *snap_redact(const struct snap *s)
{
    return snap_clone_with(s, hide, NULL);
}
