#include "round.h"

#include <math.h>
#include <string.h>

#include "tables.h"

#define US     1000
#define SHARES 16384.0 // a power of two: the double has few bits then

static int64_t down(int64_t ns)
{
    return ns == SNAP_UNKNOWN ? ns : ns - (ns % US + US) % US;
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

// The moment it began is rounded: an age then grows by exactly the time that passes.
static int64_t round_age(int64_t age, int64_t now_ns)
{
    return age == SNAP_UNKNOWN || age == 0 ? age : down(now_ns) - down(now_ns - age);
}

enum rounding { KEEP, DOWN, AGE, SHARE, SPARK };

static enum rounding rounding_of(const struct column *c)
{
    switch (c->type) {
    case COL_AGE: return AGE;
    case COL_MOMENT: return DOWN;
    case COL_SPARK: return SPARK;
    case COL_I64: return ends_in(c->name, "_ns") && !ends_in(c->name, "unix_ns") ? DOWN : KEEP;
    case COL_REAL: return ends_in(c->name, "_ratio") ? SHARE : KEEP;
    default: return KEEP;
    }
}

static void round_value(enum rounding how, char *at, int64_t now_ns)
{
    int64_t *whole = (int64_t *)at;
    double *real = (double *)at;
    switch (how) {
    case KEEP: break;
    case DOWN: *whole = down(*whole); break;
    case AGE: *whole = round_age(*whole, now_ns); break;
    case SHARE: *real = round(*real * SHARES) / SHARES; break;
    case SPARK:
        for (int i = 0; i < LOOP_SPARK; i++)
            whole[i] = down(whole[i]);
    }
}

static void round_evidence(struct evidence *e)
{
    if (e->unit && !strcmp(e->unit, "ns"))
        e->value = floor(e->value / US) * US;
    else if (e->unit && !strcmp(e->unit, "ratio"))
        e->value = round(e->value * SHARES) / SHARES;
}

// By column: what its name and type ask for is found once for all rows.
static void round_list(const struct table *t, void *of, int64_t now_ns)
{
    int n = table_count(t, of);
    char *rows = table_list(t, of);
    for (int k = 0; n > 0 && k < t->ncolumns; k++) {
        enum rounding how = rounding_of(&t->columns[k]);
        for (int i = 0; how != KEEP && i < n; i++)
            round_value(how, rows + (size_t)i * t->size + t->columns[k].offset, now_ns);
    }
    for (int i = 0; t->nchildren > 0 && i < n; i++)
        for (int k = 0; k < t->nchildren; k++)
            round_list(t->children[k], rows + (size_t)i * t->size, now_ns);
}

void snap_round(struct snap *s)
{
    for (int i = 0; record_tables[i]; i++)
        round_list(record_tables[i], s, s->now_ns);
    for (int i = 0; i < s->nfindings; i++)
        for (int k = 0; k < s->findings[i].nevidence; k++)
            round_evidence(&s->findings[i].evidence[k]);
    s->now_ns = down(s->now_ns);
}
