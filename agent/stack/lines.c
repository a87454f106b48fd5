// dwarf_getaranges knows only what the compiler wrote to .debug_aranges: clang and rustc write none. So
// units that it does not name are found by their own ranges, read once.
//
// For an address that belongs to no unit libdw answers with a neighbour ("uv-common.c" for V8's code):
// every unit is asked whether it has the address.
#include "lines.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"

#define MAX_UNITS 50000
#define CACHED    512 // answers a module; power of two

struct unit_range {
    uint64_t low, high;
    Dwarf_Off die;
};

struct answer {
    uint64_t address;
    int n; // -1: empty
    struct source_line *lines;
};

struct line_index {
    Dwarf_Aranges *aranges;
    bool scanned;
    struct unit_range *units; // by low
    size_t nunits, cap;
    struct answer answers[CACHED];
};

void lines_free(struct line_index *index)
{
    if (!index)
        return;
    for (int i = 0; i < CACHED; i++)
        free(index->answers[i].lines);
    free(index->units);
    free(index);
}

static struct line_index *index_of(struct module *m)
{
    if (!m->lines && (m->lines = calloc(1, sizeof(*m->lines)))) {
        size_t n;
        for (int i = 0; i < CACHED; i++)
            m->lines->answers[i].n = -1;
        if (dwarf_getaranges(m->dwarf, &m->lines->aranges, &n) != 0)
            m->lines->aranges = NULL;
    }
    return m->lines;
}

static bool add_unit(struct line_index *index, uint64_t low, uint64_t high, Dwarf_Off die)
{
    if (!list_room(index->units, index->nunits, index->cap))
        return false;
    index->units[index->nunits++] = (struct unit_range){low, high, die};
    return true;
}

static void scan_units(struct line_index *index, Dwarf *dwarf)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die;
    uint8_t type;
    index->scanned = true;
    for (int i = 0; i < MAX_UNITS && dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0;
         i++) {
        Dwarf_Addr base, low, high;
        ptrdiff_t at = 0;
        while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0)
            if (low < high && !add_unit(index, low, high, dwarf_dieoffset(&die)))
                return;
    }
    if (index->nunits > 0)
        qsort(index->units, index->nunits, sizeof(*index->units), list_by_number);
}

static bool unit_by_aranges(struct line_index *index, Dwarf *dwarf, uint64_t address,
                            Dwarf_Die *ret)
{
    Dwarf_Off offset;
    Dwarf_Arange *range = index->aranges ? dwarf_getarange_addr(index->aranges, address) : NULL;
    return range && dwarf_getarangeinfo(range, NULL, NULL, &offset) == 0 &&
           dwarf_offdie(dwarf, offset, ret) && dwarf_haspc(ret, address) == 1;
}

static bool unit_by_ranges(struct line_index *index, Dwarf *dwarf, uint64_t address, Dwarf_Die *ret)
{
    if (!index->scanned)
        scan_units(index, dwarf);
    size_t n = list_divide(index->units, index->nunits, u, u->low <= address);
    return n > 0 && address < index->units[n - 1].high &&
           dwarf_offdie(dwarf, index->units[n - 1].die, ret);
}

static const char *string_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute a;
    return dwarf_formstring(dwarf_attr_integrate(die, name, &a));
}

static const char *name_of(Dwarf_Die *die)
{
    const char *name = string_of(die, DW_AT_linkage_name);
    if (!name)
        name = string_of(die, DW_AT_MIPS_linkage_name);
    return name ? name : dwarf_diename(die);
}

static void call_site(Dwarf_Die *unit, Dwarf_Die *inlined, const char **file, int *line)
{
    Dwarf_Attribute a;
    Dwarf_Word n;
    Dwarf_Files *files;
    size_t nfiles;
    *file = NULL;
    *line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &a), &n) == 0)
        *line = (int)n;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &a), &n) == 0 &&
        dwarf_getsrcfiles(unit, &files, &nfiles) == 0 && n < nfiles)
        *file = dwarf_filesrc(files, n, NULL, NULL);
}

// From the innermost scope outwards to the function; each inlined call names the line it was called at.
static int walk_scopes(Dwarf_Die *unit, Dwarf_Die *scopes, int nscopes, struct source_line here,
                       struct source_line *ret)
{
    int n = 0;
    for (int i = 0; i < nscopes && n < LINES_INLINES; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        here.function = name_of(&scopes[i]);
        ret[n++] = here;
        if (tag == DW_TAG_subprogram)
            break;
        call_site(unit, &scopes[i], &here.file, &here.line);
    }
    return n;
}

static int look_up(struct module *m, struct line_index *index, uint64_t address,
                   struct source_line *ret)
{
    Dwarf_Die unit, *found = NULL, *scopes = NULL;
    if (!unit_by_aranges(index, m->dwarf, address, &unit) &&
        !unit_by_ranges(index, m->dwarf, address, &unit))
        return 0;
    struct source_line here = {0};
    Dwarf_Line *line = dwarf_getsrc_die(&unit, address);
    if (line) {
        here.file = dwarf_linesrc(line, NULL, NULL);
        dwarf_lineno(line, &here.line);
    }
    int n = 0;
    if (dwarf_getscopes(&unit, address, &found) > 0) {
        // Seen from the address, an inlined function's scopes are those of its definition; seen from the
        // innermost DIE they are the calls.
        int nscopes = dwarf_getscopes_die(&found[0], &scopes);
        n = walk_scopes(&unit, scopes, nscopes, here, ret);
    }
    free(scopes);
    free(found);
    if (n == 0 && here.file)
        ret[n++] = here;
    return n;
}

static void remember(struct answer *a, uint64_t address, const struct source_line *lines, int n)
{
    free(a->lines);
    *a = (struct answer){.address = address, .n = -1};
    if (n > 0 && !(a->lines = malloc((size_t)n * sizeof(*lines))))
        return;
    if (n > 0)
        memcpy(a->lines, lines, (size_t)n * sizeof(*lines));
    a->n = n;
}

int lines_at(struct module *m, uint64_t address, struct source_line ret[LINES_INLINES])
{
    struct line_index *index = module_dwarf(m) ? index_of(m) : NULL;
    if (!index)
        return 0;
    struct answer *a = &index->answers[(address ^ address >> 11) % CACHED];
    if (a->n < 0 || a->address != address) {
        int n = look_up(m, index, address, ret);
        remember(a, address, ret, n);
        return n;
    }
    if (a->n > 0)
        memcpy(ret, a->lines, (size_t)a->n * sizeof(*ret));
    return a->n;
}
