// By address: one 64-bit word a function, the address relative to the lowest in the upper half and
// a reference (source, index) in the lower, sorted by radix: 3 ms for node where qsort takes 40. By
// name: an array of 32-bit hashes, built on the first question and scanned (50 us on node, and a
// quarter of the memory of a table with buckets).
#include "symtab.h"

#include <stdlib.h>
#include <string.h>

#include "../list.h"

#define MAX_SOURCES 3 // the file's own, its separate debug file's, mini debug info
#define INDEX_BITS  30
#define MAX_SYMBOLS (1u << 24)
#define LOOK_BACK   24 // aliases and labels between a function's start and the pc

struct source {
    Elf *elf;
    const Elf64_Sym *symbols;
    uint32_t n;
    const char *strings;
    size_t strings_size;
    bool dynamic;     // .dynsym: not all symbols there are
    uint32_t *hashes; // of the names, on demand
};

struct symtab {
    struct source sources[MAX_SOURCES];
    int nsources;
    uint64_t *functions; // sorted; NULL until asked for
    uint32_t nfunctions;
    uint64_t low;
    bool sorted;
};

struct symtab *symtab_new(void)
{
    return calloc(1, sizeof(struct symtab));
}

void symtab_free(struct symtab *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->nsources; i++)
        free(t->sources[i].hashes);
    free(t->functions);
    free(t);
}

int symtab_size(const struct symtab *t)
{
    return (int)t->nfunctions;
}

static Elf_Scn *find_symbols(Elf *elf, GElf_Shdr *ret)
{
    Elf_Scn *dynamic = NULL;
    GElf_Shdr header, dynamic_header;
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
        if (!gelf_getshdr(s, &header))
            continue;
        if (header.sh_type == SHT_SYMTAB && header.sh_size > sizeof(Elf64_Sym)) {
            *ret = header;
            return s;
        }
        if (header.sh_type == SHT_DYNSYM) {
            dynamic = s;
            dynamic_header = header;
        }
    }
    if (dynamic)
        *ret = dynamic_header;
    return dynamic;
}

void symtab_add(struct symtab *t, Elf *elf)
{
    GElf_Shdr header;
    Elf_Scn *section = elf ? find_symbols(elf, &header) : NULL;
    if (!section || t->nsources == MAX_SOURCES)
        return;
    Elf_Data *symbols = elf_getdata(section, NULL);
    Elf_Scn *string_section = elf_getscn(elf, header.sh_link);
    Elf_Data *strings = string_section ? elf_getdata(string_section, NULL) : NULL;
    // A separate debug file keeps the header of .dynsym as NOBITS: no bytes.
    if (!symbols || !symbols->d_buf || !strings || !strings->d_buf || strings->d_size == 0)
        return;
    size_t n = symbols->d_size / sizeof(Elf64_Sym);
    t->sources[t->nsources++] = (struct source){.elf = elf,
                                                .symbols = symbols->d_buf,
                                                .n = n < MAX_SYMBOLS ? (uint32_t)n : MAX_SYMBOLS,
                                                .strings = strings->d_buf,
                                                .strings_size = strings->d_size,
                                                .dynamic = header.sh_type == SHT_DYNSYM};
    t->sorted = false;
}

static const char *name_of(const struct source *s, const Elf64_Sym *symbol)
{
    if (symbol->st_name == 0 || symbol->st_name >= s->strings_size)
        return NULL;
    const char *name = s->strings + symbol->st_name;
    return memchr(name, '\0', s->strings_size - symbol->st_name) ? name : NULL;
}

static bool is_function(const Elf64_Sym *s)
{
    int type = ELF64_ST_TYPE(s->st_info);
    return s->st_shndx != SHN_UNDEF && s->st_shndx != SHN_ABS && s->st_name != 0 &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

static uint32_t count_functions(const struct symtab *t, uint64_t *low)
{
    uint32_t n = 0;
    *low = UINT64_MAX;
    for (int k = 0; k < t->nsources; k++)
        for (uint32_t i = 0; i < t->sources[k].n; i++)
            if (is_function(&t->sources[k].symbols[i])) {
                n++;
                if (t->sources[k].symbols[i].st_value < *low)
                    *low = t->sources[k].symbols[i].st_value;
            }
    return n;
}

static uint32_t fill(const struct symtab *t, uint64_t *words, uint64_t low)
{
    uint32_t n = 0;
    for (int k = 0; k < t->nsources; k++)
        for (uint32_t i = 0; i < t->sources[k].n; i++) {
            const Elf64_Sym *s = &t->sources[k].symbols[i];
            if (is_function(s) && s->st_value - low <= UINT32_MAX)
                words[n++] = (s->st_value - low) << 32 | (uint64_t)k << INDEX_BITS | i;
        }
    return n;
}

// By the upper halves, 11 bits a pass.
static void radix_sort(uint64_t *words, uint64_t *spare, uint32_t n)
{
    for (int shift = 32; shift < 64; shift += 11) {
        uint32_t count[2049] = {0};
        for (uint32_t i = 0; i < n; i++)
            count[(words[i] >> shift & 2047) + 1]++;
        for (int i = 0; i < 2048; i++)
            count[i + 1] += count[i];
        for (uint32_t i = 0; i < n; i++)
            spare[count[words[i] >> shift & 2047]++] = words[i];
        memcpy(words, spare, n * sizeof(*words));
    }
}

static void sort_functions(struct symtab *t)
{
    t->sorted = true;
    free(t->functions);
    t->functions = NULL;
    t->nfunctions = 0;
    uint32_t n = count_functions(t, &t->low);
    uint64_t *words = n ? malloc(n * sizeof(*words)) : NULL;
    uint64_t *spare = n ? malloc(n * sizeof(*spare)) : NULL;
    if (words && spare) {
        n = fill(t, words, t->low);
        radix_sort(words, spare, n);
        t->functions = words;
        t->nfunctions = n;
        words = NULL;
    }
    free(words);
    free(spare);
}

static const Elf64_Sym *symbol_of(const struct symtab *t, uint64_t word, const struct source **s)
{
    *s = &t->sources[(uint32_t)word >> INDEX_BITS];
    return &(*s)->symbols[word & ((1u << INDEX_BITS) - 1)];
}

// A label of unknown size may only speak for its own section: _init must not claim all of .text. And
// where most functions are stripped it may not speak for others at all.
static bool may_claim(const struct source *from, const Elf64_Sym *symbol, uint64_t address)
{
    GElf_Shdr header;
    if (from->dynamic)
        return false;
    Elf_Scn *s = elf_getscn(from->elf, symbol->st_shndx);
    return s && gelf_getshdr(s, &header) && address >= header.sh_addr &&
           address - header.sh_addr < header.sh_size;
}

// Among names of one place a function is better than a label, a global one better than a local one.
static int rank(const Elf64_Sym *s)
{
    int type = ELF64_ST_TYPE(s->st_info);
    return (type == STT_NOTYPE ? 0 : 2) + (ELF64_ST_BIND(s->st_info) == STB_GLOBAL);
}

// How many functions begin at or before the key.
static uint32_t count_up_to(const struct symtab *t, uint32_t key)
{
    return (uint32_t)list_divide(t->functions, t->nfunctions, f, *f >> 32 <= key);
}

// Nearest first: is s (which covers the address, or not) better than what was found so far?
static bool improves(const Elf64_Sym *s, bool covers, const Elf64_Sym *best)
{
    if (!best)
        return true;
    if (s->st_value == best->st_value && rank(s) > rank(best))
        return covers || best->st_size == 0;
    return covers && best->st_size == 0;
}

bool symtab_at(struct symtab *t, uint64_t address, struct symbol *ret)
{
    if (!t->sorted)
        sort_functions(t);
    if (t->nfunctions == 0 || address < t->low || address - t->low > UINT32_MAX)
        return false;
    const Elf64_Sym *best = NULL;
    uint32_t n = count_up_to(t, (uint32_t)(address - t->low));
    for (uint32_t i = n; i-- > 0 && n - i <= LOOK_BACK;) {
        const struct source *from;
        const Elf64_Sym *s = symbol_of(t, t->functions[i], &from);
        bool covers = address - s->st_value < s->st_size;
        bool claims = covers || (s->st_size == 0 && may_claim(from, s, address));
        const char *name = claims && improves(s, covers, best) ? name_of(from, s) : NULL;
        if (!name)
            continue;
        best = s;
        *ret = (struct symbol){name, s->st_value, s->st_size};
    }
    return best != NULL;
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t h = 5381;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        h = h * 33 + *p;
    return h ? h : 1;
}

static void hash_names(struct source *s)
{
    s->hashes = calloc(s->n, sizeof(*s->hashes));
    for (uint32_t i = 0; s->hashes && i < s->n; i++) {
        const char *name = s->symbols[i].st_shndx == SHN_UNDEF ? NULL : name_of(s, &s->symbols[i]);
        s->hashes[i] = name ? gnu_hash(name) : 0;
    }
}

static bool named_in(struct source *s, uint32_t hash, const char *name, struct symbol *ret)
{
    if (!s->hashes)
        hash_names(s);
    for (uint32_t i = 0; s->hashes && i < s->n; i++) {
        if (s->hashes[i] != hash)
            continue;
        const char *found = name_of(s, &s->symbols[i]);
        if (found && !strcmp(found, name)) {
            *ret = (struct symbol){found, s->symbols[i].st_value, s->symbols[i].st_size};
            return true;
        }
    }
    return false;
}

bool symtab_named(struct symtab *t, const char *name, struct symbol *ret)
{
    uint32_t hash = gnu_hash(name);
    for (int i = 0; i < t->nsources; i++)
        if (named_in(&t->sources[i], hash, name, ret))
            return true;
    return false;
}

bool symtab_contains(const struct symtab *t, const char *part)
{
    for (int k = 0; k < t->nsources; k++) {
        const struct source *s = &t->sources[k];
        for (uint32_t i = 0; i < s->n; i++) {
            const char *name =
                s->symbols[i].st_shndx == SHN_UNDEF ? NULL : name_of(s, &s->symbols[i]);
            if (name && strstr(name, part))
                return true;
        }
    }
    return false;
}
