// A small HTTP/1.1 client on streams, enough for the examples: one GET a connection.
#ifndef EXAMPLE_HTTP_H
#define EXAMPLE_HTTP_H

#include <loopscope/loopscope.h>

struct url {
    char host[256], path[1024];
    uint16_t port;
};
int url_parse(struct url *u, const char *text); // http://HOST[:PORT][/PATH]; -EINVAL

struct response {
    int status;
    size_t size;
    char *body; // NUL-terminated; of the calling task (ls_alloc)
};
// Awaits. 0, or negative errno: -EFBIG when the body is longer than max, -EPROTO when it is no HTTP.
int http_get(const struct url *u, struct response *ret, size_t max, int64_t timeout_ns);

#endif
