// strcasestr() prepares itself anew for each text: for 100 000 short ones that is most of the work. Here the
// needle's rarest byte is chosen once and looked for with memchr().
#include "match.h"

#include <ctype.h>
#include <string.h>

// The higher the rarer, in paths and names of functions.
static int rarity(char c)
{
    static const char common[] = "zqjxkvbywgpfmucdlhrsnioate";
    const char *at = strchr(common, tolower((unsigned char)c));
    if (at && c)
        return (int)(sizeof(common) - 1 - (size_t)(at - common)) * -1;
    return strchr("/._ :", c) ? -5 : 0;
}

struct matcher matcher_make_plain(const char *needle)
{
    struct matcher m = {.needle = needle, .len = strlen(needle)};
    for (size_t i = 1; i < m.len; i++)
        if (rarity(needle[i]) > rarity(needle[m.rare]))
            m.rare = i;
    m.lower = (char)tolower((unsigned char)needle[m.rare]);
    m.upper = (char)toupper((unsigned char)needle[m.rare]);
    return m;
}

struct matcher matcher_make(const char *filter)
{
    bool inverse = filter[0] == '!' && filter[1];
    struct matcher m = matcher_make_plain(filter[0] == '!' ? filter + 1 : filter);
    m.inverse = inverse;
    return m;
}

static bool holds(const struct matcher *m, const char *text, size_t len, char rare)
{
    const char *end = text + len - m->len + m->rare + 1; // the rare byte stands before
    for (const char *p = text + m->rare; p < end; p++) {
        p = memchr(p, rare, (size_t)(end - p));
        if (!p)
            return false;
        if (strncasecmp(p - m->rare, m->needle, m->len) == 0)
            return true;
    }
    return false;
}

bool match_text(const struct matcher *m, const char *text)
{
    size_t len = strlen(text);
    if (m->len == 0 || len < m->len)
        return m->len == 0;
    return holds(m, text, len, m->lower) || (m->upper != m->lower && holds(m, text, len, m->upper));
}

static bool any_column(struct matcher *m, const struct ui *ui, const struct table *table, int index)
{
    char buf[256];
    for (int c = 0, k = 0; c < table->ncolumns; c++) {
        if (!table->columns[c].text)
            continue;
        const char *text = table->text(ui, index, c, buf, sizeof(buf));
        bool shared = text != buf && k < MATCH_COLUMNS;
        bool found = shared && m->last[k].text == text ? m->last[k].holds : match_text(m, text);
        if (shared) {
            m->last[k].text = text;
            m->last[k].holds = found;
        }
        if (found)
            return true;
        k++;
    }
    return false;
}

bool match_item(struct matcher *m, const struct ui *ui, const struct table *table, int index)
{
    return m->len == 0 || any_column(m, ui, table, index) != m->inverse;
}
