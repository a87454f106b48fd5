// The running dashboard: what top.c (the loop) and top_requests.c (what keys ask for) share.
#ifndef LOOPSCOPE_TUI_TOP_H
#define LOOPSCOPE_TUI_TOP_H

#include <uv.h>

#include "../agent/record/record.h"
#include "../agent/source.h"
#include "term.h"
#include "ui.h"

#define TOP_SIGNALS 6
#define TOP_TSTP    4 // index of SIGTSTP

struct top {
    struct opts opts; // as given; the target changes when another process is chosen
    uv_loop_t loop;
    uv_poll_t input;
    uv_timer_t frame;    // the next frame, when it is not yet time for it
    uv_timer_t tick;     // asks for pictures between the source's own
    uv_timer_t deadline; // --for
    uv_signal_t signals[TOP_SIGNALS];
    struct source *source; // NULL: ended or not open
    struct terminal *term;
    struct canvas *canvas;
    struct recorder *recorder;
    struct ui ui;
    uint64_t last_frame_ms;
    int idle_reads; // in a row: the terminal is gone when there are many
    int died_of;    // the signal to die of after cleaning up; 0 none
    bool leaving;
};

int top_open_source(struct top *t, struct error *err);
void top_close_source(struct top *t);
void top_dirty(struct top *t); // something changed: a frame is due
void top_leave(struct top *t);
void top_requests(struct top *t); // carries out what the model asks for
void top_suspend(struct top *t);
void top_record(struct top *t, struct snap *s); // appends, when recording
void top_stop_recording(struct top *t);

#endif
