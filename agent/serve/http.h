// The newest snapshot over HTTP: /metrics, /report.json, /healthz, /events (server-sent events).
//
// Everything runs in the caller's loop: no thread. It only gives; nothing that comes in changes anything.
#ifndef LOOPSCOPE_SERVE_HTTP_H
#define LOOPSCOPE_SERVE_HTTP_H

#include <uv.h>

#include "../error.h"
#include "../snapshot/snapshot.h"

struct history;
struct http;

// where: "127.0.0.1:9464", "[::1]:9464", ":9464" (loopback), "9464". -errno, *err filled.
int http_open(struct http **ret, uv_loop_t *loop, const char *where, struct error *err);
// Shows s from now on (takes a reference) and sends its events. history may be NULL; it is read at
// each request and must live as long.
void http_show(struct http *h, struct snap *s, const struct history *history);
void http_ended(struct http *h); // no more will come: /healthz says so
// Ends all connections; h is freed within the loop.
void http_close(struct http *h);

#endif
