// What is said about wrong use: counted always, printed in debug mode, each with its place.
#include "fast.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Tasks whose result was taken lately, so that a second await can say where the first one was.
#define GRAVES 4096
struct graveyard {
    struct grave {
        int64_t id;
        struct ls_site *spawned, *awaited;
    } graves[GRAVES];
    uint32_t next;
};

static void say(const char *fmt, va_list args)
{
    char text[1024];
    int n = snprintf(text, sizeof(text) - 1, "loopscope: ");
    int more = vsnprintf(text + n, sizeof(text) - 1 - (size_t)n, fmt, args);
    if (more > 0)
        n += more < (int)sizeof(text) - 1 - n ? more : (int)sizeof(text) - 2 - n;
    text[n++] = '\n';
    ssize_t unused =
        write(STDERR_FILENO, text, (size_t)n); // one write: lines of threads do not mix
    (void)unused;
}

void ls__say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

const char *ls__site_text(const struct ls_site *site, char *text, size_t size)
{
    if (!site)
        return "(unknown place)";
    snprintf(text, size, "%s:%u (%s)", site->file, site->line, site->function);
    return text;
}

const char *ls__task_label(const struct task *t)
{
    if (t->name && *t->name)
        return t->name;
    return t->spawn_site && t->spawn_site->label ? t->spawn_site->label : "?";
}

static bool debug_on(void)
{
    const char *text;
    if (ls__loop)
        return ls__loop->debug;
    text = getenv("LOOPSCOPE_DEBUG"); // on a thread without a loop
    return text && *text && strcmp(text, "0") != 0;
}

int ls__misuse(struct ls_site *site, int error, const char *fmt, ...)
{
    char text[512], place[256];
    va_list args;
    if (ls__loop)
        ls__loop->record->misuse++;
    if (!debug_on())
        return error;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ls__say("%s: %s", ls__site_text(site, place, sizeof(place)), text);
    return error;
}

int ls__not_in_task(struct ls_site *site, const char *call)
{
    return ls__misuse(site, -EPERM, "%s: called outside a task; only tasks can%s", call,
                      ls__loop ? "" : "; this thread has no loop");
}

// From another thread: it has no loop to count at, or the wrong one; the table's header has a place for it.
int ls__wrong_loop_of(const struct ls_loop *of, struct ls_site *site, const char *call)
{
    char place[256];
    if (ls__table.header)
        ls__table_wrong_call(of ? of->index : LS_ABI_NO_LOOP, site_id(site), call);
    if (ls__loop)
        ls__loop->record->misuse++;
    if (debug_on() || (of && of->debug))
        ls__say("%s: %s: called from thread %d, to which this does not belong; use ls_post or "
                "ls_spawn_from_thread",
                ls__site_text(site, place, sizeof(place)), call, (int)gettid());
    return -EPERM;
}

int ls__wrong_loop(struct ls_site *site, const char *call)
{
    return ls__wrong_loop_of(NULL, site, call);
}

static const struct grave *find_grave(int64_t id)
{
    const struct graveyard *y = ls__loop ? ls__loop->graveyard : NULL;
    for (int i = 0; y && i < GRAVES; i++)
        if (y->graves[i].id == id)
            return &y->graves[i];
    return NULL;
}

static bool is_of_another_loop(ls_task task)
{
    uint64_t slot = (uint64_t)task.id & ((1u << LS_ABI_SLOT_BITS) - 1);
    if (slot >= TABLE_SLOTS)
        return false;
    uint8_t loop = ls__table.loop_of_chunk[slot / TABLE_CHUNK];
    return loop != LOOP_NONE && ls__loop && loop != ls__loop->index;
}

int64_t ls__stale(struct ls_site *site, ls_task task, const char *call)
{
    char spawned[256], awaited[256];
    if (task.id < 0) // a spawn that failed: its error is the result
        return task.id;
    if (task.id > 0 && is_of_another_loop(task))
        return ls__wrong_loop(site, call);
    const struct grave *grave = find_grave(task.id);
    if (grave)
        return ls__misuse(site, -ESRCH, "%s: task %lld, spawned at %s, was awaited at %s", call,
                          (long long)task.id,
                          ls__site_text(grave->spawned, spawned, sizeof(spawned)),
                          ls__site_text(grave->awaited, awaited, sizeof(awaited)));
    return ls__misuse(site, -ESRCH,
                      "%s: no such task (%lld): it has been awaited, or its parent has ended", call,
                      (long long)task.id);
}

void ls__bury(struct task *t, struct ls_site *site)
{
    struct ls_loop *l = t->loop;
    if (!l->debug)
        return;
    if (!l->graveyard)
        l->graveyard = calloc(1, sizeof(*l->graveyard));
    if (!l->graveyard)
        return;
    l->graveyard->graves[l->graveyard->next++ % GRAVES] =
        (struct grave){t->id, t->spawn_site, site};
}

void ls__report_slow_step(struct task *t, int64_t ns)
{
    char spawned[256], awaits[256];
    const struct ls_site *at = ls__site(t->slot->await_site);
    ls__say("task \"%s\" spawned at %s held the loop for %.1f ms, until %s", ls__task_label(t),
            ls__site_text(t->spawn_site, spawned, sizeof(spawned)), (double)ns / 1e6,
            task_ended(t) ? "its end" : ls__site_text(at, awaits, sizeof(awaits)));
}

void ls__report_leaks(struct ls_loop *l)
{
    const struct ls_abi_loop *r = l->record;
    list_for_each(node, &l->objects)
    {
        const char *kind = list_entry(node, struct object, link)->kind;
        ls__say("%s %s was not freed: %p", *kind == 'e' ? "an" : "a", kind, (void *)node);
    }
    if (r->never_awaited + r->errors_unread + r->left_children + r->misuse + r->spawn_failed == 0)
        return;
    ls__say("of %llu tasks: %llu never awaited, %llu errors unread, %llu left running by their "
            "parents, %llu spawns failed; %llu wrong calls",
            (unsigned long long)r->created, (unsigned long long)r->never_awaited,
            (unsigned long long)r->errors_unread, (unsigned long long)r->left_children,
            (unsigned long long)r->spawn_failed, (unsigned long long)r->misuse);
}
