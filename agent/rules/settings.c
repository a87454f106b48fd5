// "-o rule.key=value": numbers in the unit of their key.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../opts.h"
#include "engine.h"

#define WINDOW_MAX_NS (10 * SECOND) // what the model keeps

static const struct setting *setting_of(const struct rules *r, const struct rule *rule,
                                        const char *key)
{
    for (int i = r->nsettings - 1; i >= 0; i--)
        if (r->settings[i].rule == rule && strcmp(r->settings[i].key->key, key) == 0)
            return &r->settings[i];
    return NULL;
}

static const struct rule_key *key_of(const struct rule *rule, const char *key)
{
    for (int i = 0; i < rule->nkeys; i++)
        if (strcmp(rule->keys[i].key, key) == 0)
            return &rule->keys[i];
    return NULL;
}

bool rules_is_set(const struct rules *r, const struct rule *rule, const char *key)
{
    return setting_of(r, rule, key) != NULL;
}

double rules_value(const struct rules *r, const struct rule *rule, const char *key)
{
    const struct setting *s = setting_of(r, rule, key);
    const struct rule_key *k = key_of(rule, key);
    if (!k)
        return NAN;
    double v = s ? s->value : k->value;
    return k->scaled ? v * r->time_scale : v;
}

int64_t rules_ns(const struct rules *r, const struct rule *rule, const char *key)
{
    return (int64_t)rules_value(r, rule, key);
}

int rules_threshold(const struct rules *r, int64_t *ns, struct error *err)
{
    if (!rules_is_set(r, &rule_loop_blocked, "warn"))
        return 0;
    double v = rules_value(r, &rule_loop_blocked, "warn");
    if (v < 1 * MS)
        return error_set(err, STATUS_USAGE, EINVAL, "loop-blocked.warn is below 1ms");
    *ns = (int64_t)v;
    return 0;
}

static int parse_value(const struct rule_key *key, const char *text, double *ret)
{
    int64_t ns;
    char *end;
    if (strcmp(key->unit, "ns") == 0) {
        if (parse_duration(text, &ns) < 0)
            return -EINVAL;
        *ret = (double)ns;
        return 0;
    }
    if (text[0] != '.' && (text[0] < '0' || text[0] > '9'))
        return -EINVAL;
    *ret = strtod(text, &end);
    bool ratio = strcmp(key->unit, "ratio") == 0;
    if (ratio && strcmp(end, "%") == 0) {
        *ret /= 100;
        end++;
    }
    return *end || !isfinite(*ret) || (ratio && *ret > 1) ? -EINVAL : 0;
}

const char *rule_value_text(const struct rule_key *key, double value, char *buf, size_t size)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    size_t u = 0;
    if (strcmp(key->unit, "ns") == 0) {
        while (u < 5 && (value < units[u].ns || fmod(value, units[u].ns) != 0))
            u++;
        snprintf(buf, size, "%g%s", value / units[u].ns, value > 0 ? units[u].unit : "");
    } else if (strcmp(key->unit, "ratio") == 0) {
        snprintf(buf, size, "%g%%", value * 100);
    } else {
        snprintf(buf, size, "%g", value);
    }
    return buf;
}

static void list_keys(const struct rule *rule, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; i < rule->nkeys && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "", rule->keys[i].key);
}

static int parse_setting(const char *text, struct setting *ret, struct error *err)
{
    char id[64], key[32], keys[200];
    const char *value = strchr(text, '=');
    const char *dot = value ? memrchr(text, '.', (size_t)(value - text)) : NULL;
    if (!dot || dot == text || (size_t)(dot - text) >= sizeof(id) ||
        (size_t)(value - dot) > sizeof(key))
        return error_set(err, STATUS_USAGE, EINVAL, "-o %s: not of the form rule.key=value", text);
    snprintf(id, sizeof(id), "%.*s", (int)(dot - text), text);
    snprintf(key, sizeof(key), "%.*s", (int)(value - dot - 1), dot + 1);
    ret->rule = rule_find(id);
    if (!ret->rule) {
        error_set(err, STATUS_USAGE, EINVAL, "-o %s: there is no rule %s", text, id);
        error_hint(err, "loopscope rules lists them");
        return -EINVAL;
    }
    ret->key = key_of(ret->rule, key);
    if (!ret->key) {
        list_keys(ret->rule, keys, sizeof(keys));
        error_set(err, STATUS_USAGE, EINVAL, "-o %s: %s has no key %s", text, id, key);
        error_hint(err, "its keys: %s", keys[0] ? keys : "none");
        return -EINVAL;
    }
    if (parse_value(ret->key, value + 1, &ret->value) < 0)
        return error_set(err, STATUS_USAGE, EINVAL, "-o %s: %s is no %s", text, value + 1,
                         strcmp(ret->key->unit, "ns") == 0      ? "duration (100ms, 2s)"
                         : strcmp(ret->key->unit, "ratio") == 0 ? "share (0.05, 5%)"
                                                                : "number");
    if (strcmp(key, "window") == 0 && !ret->key->scaled && ret->value > (double)WINDOW_MAX_NS &&
        ret->value > ret->key->value)
        return error_set(err, STATUS_USAGE, EINVAL, "-o %s: the window is 10s at most", text);
    return 0;
}

int rules_new(struct rules **ret, const char *const *settings, int nsettings, double time_scale,
              struct error *err)
{
    struct rules *r = calloc(1, sizeof(*r));
    if (!r)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    r->time_scale = time_scale > 0 ? time_scale : 1;
    r->settings = calloc((size_t)nsettings + 1, sizeof(*r->settings));
    int e = r->settings ? 0 : error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    for (int i = 0; e == 0 && i < nsettings; i++) {
        if (strstr(settings[i], ".call=")) // a name for lint, in a file that both read
            continue;
        e = parse_setting(settings[i], &r->settings[r->nsettings], err);
        r->nsettings += e == 0;
    }
    if (e < 0) {
        rules_free(r);
        return e;
    }
    *ret = r;
    return 0;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    stalls_forget(r);
    held_forget(r, true);
    recent_forget(r, true);
    store_free(r);
    free(r->settings);
    free(r);
}
