// Nothing here is exported by libuv but two small functions, whose instructions say where to look:
// uv_version is "mov $N, %eax; ret", and uv_default_loop begins by loading default_loop_ptr. So it works
// on stripped libraries too.
#include "uv_loop.h"

#include <string.h>

// uv_loop_t of libuv 1.x on x86-64. backend_fd has been here since 1.0; internal_fields since 1.38, and
// its metrics since 1.45 (flags, then loop_count, events, events_waiting).
#define UV_INTERNAL_FIELDS 40
#define UV_BACKEND_FD      64
#define UV_LOOP_COUNT      8
#define UV_WITH_COUNT      (1u << 16 | 45u << 8)
#define MAX_FD             (1 << 24)
#define CODE_BYTES         48 // of a function's beginning that are looked at

static bool read_code(struct process *p, const char *function, uint8_t *code, uint64_t *address)
{
    *address = process_symbol(p, NULL, function);
    return *address && mem_read(p->mem, *address, code, CODE_BYTES);
}

unsigned uv_version_of(struct process *p)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint8_t code[CODE_BYTES];
    uint64_t address;
    uint32_t version;
    if (!read_code(p, "uv_version", code, &address))
        return 0;
    const uint8_t *at = code;
    if (!memcmp(at, endbr64, sizeof(endbr64)))
        at += sizeof(endbr64);
    memcpy(&version, at + 1, sizeof(version));
    bool is_mov = at[0] == 0xb8 && at[5] == 0xc3;
    return is_mov && version >> 16 == 1 ? version : 0;
}

// The variable of the first "mov disp32(%rip), %reg64".
static uint64_t default_loop_variable(struct process *p)
{
    uint8_t code[CODE_BYTES];
    uint64_t address;
    int32_t distance;
    if (!read_code(p, "uv_default_loop", code, &address))
        return 0;
    for (size_t i = 0; i + 7 <= sizeof(code); i++) {
        if ((code[i] & 0xfb) != 0x48 || code[i + 1] != 0x8b || (code[i + 2] & 0xc7) != 0x05)
            continue;
        memcpy(&distance, code + i + 3, sizeof(distance));
        return address + i + 7 + (uint64_t)(int64_t)distance;
    }
    return 0;
}

static uint64_t default_loop(struct process *p)
{
    uint64_t loop = process_symbol(p, NULL, "default_loop_struct");
    uint64_t variable = loop ? 0 : default_loop_variable(p);
    if (variable && !mem_u64(p->mem, variable, &loop))
        return 0;
    return loop;
}

static bool plausible_fd(uint32_t fd)
{
    return fd >= 3 && fd < MAX_FD;
}

void read_uv_loop(struct process *p, struct identity *ret)
{
    uint64_t loop = default_loop(p), fields, counts[3];
    uint32_t fd;
    if (!loop || loop % 8 || !mem_u32(p->mem, loop + UV_BACKEND_FD, &fd) || !plausible_fd(fd))
        return;
    ret->uv_loop = loop;
    ret->uv_backend_fd = (int)fd;
    if (uv_version_of(p) < UV_WITH_COUNT || !mem_u64(p->mem, loop + UV_INTERNAL_FIELDS, &fields) ||
        fields < 4096 || fields % 8 ||
        !mem_read(p->mem, fields + UV_LOOP_COUNT, counts, sizeof(counts)))
        return;
    // A loop that turns has counted less than 2^48 turns, and fewer events wait than were seen.
    if (counts[0] >> 48 == 0 && counts[1] >> 48 == 0 && counts[2] >> 48 == 0)
        ret->uv_loop_count = fields + UV_LOOP_COUNT;
}
