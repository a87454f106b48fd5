// Names that attack whoever shows them.
#include "fixture.h"

#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static const char *hostile(struct snap *s, int i)
{
    static const char *const list[] = {
        "\"quoted\" and 'single' and \\back\\slash",
        "</script><script>alert(1)</script><!-- --> ]]>",
        "\033[2J\033]0;title\007 esc\033[31m\r\n\ttab\x01\x7f",
        "bad utf-8 \xff\xfe \xc3( \xe2\x82 \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf end",
        "%s%n%d;semi,colon|pipe`tick`#{=HYPERLINK()}",
        "bidi \xe2\x80\xae evil \xe2\x80\xa8 line separator \xc2\x9b"
        "31m c1",
        "",
        " ; \n ",
    };
    if (i % 9 < COUNT(list))
        return list[i % 9];
    char *large = snap_alloc(s, 4097);
    memset(large, 'x', 4096);
    return large;
}

static struct stack *hostile_stack(struct snap *s)
{
    struct frame frames[9];
    for (int i = 0; i < COUNT(frames); i++)
        frames[i] = (struct frame){.function = hostile(s, i),
                                   .file = hostile(s, i + 1),
                                   .module = hostile(s, i + 2),
                                   .build_id = hostile(s, i + 3),
                                   .line = i,
                                   .offset = 0xffffffffffffffffULL,
                                   .kind = (uint8_t)(i % 6)};
    struct stack *stack = stack_new(frames, COUNT(frames), 1, false, true);
    snap_hold(s, stack);
    stack_unref(stack);
    return stack;
}

struct snap *fixture_hostile(void)
{
    struct snap *s = fixture_rich(0);
    int n = 0;
    for (int i = 0; i < s->nprocesses; i++) {
        s->processes[i].name = hostile(s, n++);
        s->processes[i].exe = hostile(s, n++);
        s->processes[i].cmdline = hostile(s, n++);
    }
    for (int i = 0; i < s->nloops; i++)
        s->loops[i].name = hostile(s, n++);
    for (int i = 0; i < s->nfindings; i++) {
        struct finding *f = &s->findings[i];
        f->subject = hostile(s, n++);
        f->title = hostile(s, n++);
        f->cause.path = hostile(s, n++);
        f->cause.peer = hostile(s, n++);
        f->task.name = hostile(s, n++);
        f->verify = hostile(s, n++);
        f->stack = hostile_stack(s);
        for (int j = 0; j < f->nevidence; j++)
            f->evidence[j].text = hostile(s, n++);
    }
    for (int i = 0; i < s->ntasks; i++) {
        s->tasks[i].name = hostile(s, n++);
        s->tasks[i].spawn_site = hostile(s, n++);
        s->tasks[i].waits_on = hostile(s, n++);
    }
    for (int i = 0; i < s->nfds; i++) {
        s->fds[i].stack = hostile_stack(s);
        for (int j = 0; j < s->fds[i].ndetail; j++)
            s->fds[i].detail[j].target = hostile(s, n++);
    }
    return s;
}
