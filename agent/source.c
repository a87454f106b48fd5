#include "source.h"

int source_open(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                const struct source_callbacks *callbacks, void *arg, struct error *err)
{
    if (opts->target == TARGET_RECORDING)
        return source_open_recording(ret, loop, opts, 0, callbacks, arg, err);
    if (opts->target == TARGET_SOCKET)
        return source_open_socket(ret, loop, opts, callbacks, arg, err);
    return source_open_live(ret, loop, opts, callbacks, arg, err);
}
