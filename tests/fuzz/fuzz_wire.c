// Any bytes over the socket, from either side, and any bytes as a picture without the packing around it.
#include <stdlib.h>
#include <string.h>

#include "../../agent/record/picture.h"
#include "../../agent/serve/wire.h"

static const char *any_text(void *arg, struct snap *into, int64_t id)
{
    (void)arg;
    return id < 50 ? snap_printf(into, "text %lld", (long long)id) : NULL;
}

static struct stack *any_stack(void *arg, struct snap *into, int64_t id)
{
    (void)into;
    (void)id;
    return snap_hold(into, arg);
}

static int64_t text_number(void *arg, const char *text)
{
    (void)arg;
    return text[0] % 49 + 1;
}

static int64_t stack_number(void *arg, const struct stack *stack)
{
    (void)arg;
    (void)stack;
    return 1;
}

// A picture and one after it; what was understood can be packed again.
static void as_pictures(const uint8_t *data, size_t size)
{
    static struct stack *stack;
    const struct frame frame = {.function = "f", .file = "f.c", .line = 3};
    if (!stack)
        stack = stack_new(&frame, 1, 0, false, true);
    const struct picture_lookup lookup = {any_text, any_stack, stack};
    const struct picture_names names = {text_number, stack_number, NULL};
    size_t half = size > 2 ? (size_t)data[0] * size / 256 : 0;
    struct snap *before = snap_new(), *now = snap_new();
    struct reading first = {.at = data, .end = data + half};
    struct reading second = {.at = data + half, .end = data + size};
    struct bytes again = {0};
    bool known = picture_unpack(before, NULL, &first, &lookup) == 0;
    picture_unpack(now, known ? before : NULL, &second, &lookup);
    picture_pack(&again, now, known ? before : NULL, &names);
    bytes_free(&again);
    snap_unref(before);
    snap_unref(now);
}

static void as_frames(const uint8_t *data, size_t size, size_t max)
{
    struct wire_frames frames = {.max = max};
    struct wire_reader *reader = wire_reader_new();
    enum wire_kind kind;
    const uint8_t *body;
    size_t n;
    int rc = 1;
    for (size_t at = 0; at < size && rc >= 0; at += 100) {
        wire_add(&frames, data + at, size - at < 100 ? size - at : 100);
        while ((rc = wire_next(&frames, &kind, &body, &n)) > 0) {
            struct snap *s;
            struct wishes w;
            wire_take_hello(body, n);
            wire_take_wish(&w, 1, body, n);
            if (wire_take_picture(reader, body, n, &s) == 0)
                snap_unref(s);
        }
    }
    wire_reader_free(reader);
    bytes_free(&frames.pending);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        as_pictures(data + 1, size - 1);
    else
        as_frames(data + 1, size - 1, data[0] & 2 ? WIRE_FROM_CLIENT : WIRE_FROM_SERVER);
    return 0;
}
