// Server-sent events: each client gets every event from its connection on, as `watch --json` prints it. A
// client that does not read is cut off rather than waited for.
#ifndef LOOPSCOPE_SERVE_SSE_H
#define LOOPSCOPE_SERVE_SSE_H

#include <microhttpd.h>

#include "../snapshot/snapshot.h"

struct sse;
struct sse *sse_new(void);
void sse_end(struct sse *s); // before the daemon stops: lets all clients go
void sse_free(struct sse *s);
enum MHD_Result sse_connect(struct sse *s, struct MHD_Connection *c);
bool sse_send(struct sse *s, const struct snap *snap); // true: connections wait to be served

#endif
