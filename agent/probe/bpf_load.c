// Loading: what this kernel takes is found by trying, never by its version or its type information
// (there are kernels with all of BTF that refuse fentry).
#include "bpf.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "privilege.h"

enum variant { WITH_FENTRY = 1, OLD_SWITCH = 2 };

static bool is_fentry(const struct bpf_program *prog)
{
    const char *section = bpf_program__section_name(prog);
    return strstr(section, "fentry/") || strstr(section, "fexit/");
}

static void choose_programs(struct probe_bpf *skel, unsigned int variant)
{
    struct bpf_program *prog;
    bpf_object__for_each_program(prog, skel->obj)
    {
        if (is_fentry(prog))
            bpf_program__set_autoload(prog, variant & WITH_FENTRY);
    }
    bpf_program__set_autoload(skel->progs.on_switch, !(variant & OLD_SWITCH));
    bpf_program__set_autoload(skel->progs.on_switch_old, !!(variant & OLD_SWITCH));
}

static int try_load(struct probe *p, struct bpf_backend *b, unsigned int variant)
{
    struct probe_bpf *skel = probe_bpf__open();
    if (!skel)
        return -errno;
    bool fentry = variant & WITH_FENTRY;
    skel->rodata->threshold_ns = p->config.threshold_ns;
    skel->rodata->proof_min_ns = proof_min_ns(p);
    skel->rodata->level_cap = p->level_cap;
    skel->rodata->exact = fentry || p->config.exact;
    bpf_map__set_max_entries(skel->maps.slots, b->max_threads);
    bpf_map__set_max_entries(skel->maps.slot_of_tid, b->max_threads);
    choose_programs(skel, variant);
    int err = probe_bpf__load(skel);
    if (err) {
        probe_bpf__destroy(skel);
        return err;
    }
    b->skel = skel;
    b->variant = variant;
    b->source = fentry ? SOURCE_FENTRY : p->config.exact ? SOURCE_EXACT : SOURCE_SCHED;
    return 0;
}

static int attach(struct bpf_backend *b, struct bpf_program *prog)
{
    struct bpf_link *link = bpf_program__attach(prog);
    if (!link)
        return -errno;
    b->links[b->nlinks++] = link;
    return 0;
}

void bpf_detach(struct bpf_backend *b)
{
    while (b->nlinks)
        bpf_link__destroy(b->links[--b->nlinks]);
}

static int attach_fentry(struct bpf_backend *b)
{
    struct bpf_program *prog;
    bpf_object__for_each_program(prog, b->skel->obj)
    {
        int err = is_fentry(prog) ? attach(b, prog) : 0;
        if (err)
            return err;
    }
    return 0;
}

static int attach_common(struct bpf_backend *b)
{
    struct probe_bpf *s = b->skel;
    struct bpf_program *const progs[] = {
        b->variant & OLD_SWITCH ? s->progs.on_switch_old : s->progs.on_switch,
        s->progs.on_newtask,
        s->progs.on_exit,
        s->progs.on_exec,
    };
    for (size_t i = 0; i < sizeof(progs) / sizeof(progs[0]); i++) {
        int err = attach(b, progs[i]);
        if (err)
            return err;
    }
    return 0;
}

int bpf_attach(struct bpf_backend *b)
{
    int err = attach_common(b);
    if (!err && (b->variant & WITH_FENTRY))
        err = attach_fentry(b);
    return err;
}

static void drop_skeleton(struct bpf_backend *b)
{
    bpf_detach(b);
    probe_bpf__destroy(b->skel);
    b->skel = NULL;
}

static int load_and_attach(struct probe *p, struct bpf_backend *b, unsigned int variant)
{
    int err = try_load(p, b, variant);
    if (err)
        return err;
    err = bpf_attach(b);
    if (err)
        drop_skeleton(b);
    return err;
}

static int load_best(struct probe *p, struct bpf_backend *b)
{
    static const unsigned int variants[] = {WITH_FENTRY, 0, WITH_FENTRY | OLD_SWITCH, OLD_SWITCH};
    int err = 0;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        err = load_and_attach(p, b, variants[i]);
        if (!err)
            return 0;
    }
    return err;
}

static int map_slots(struct bpf_backend *b)
{
    size_t page = sysconf(_SC_PAGESIZE);
    b->slots_size = (sizeof(struct ls_slot) * b->max_threads + page - 1) & ~(page - 1);
    void *mem = mmap(NULL, b->slots_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                     bpf_map__fd(b->skel->maps.slots), 0);
    if (mem == MAP_FAILED)
        return -errno;
    b->slots = mem;
    return 0;
}

void wait_calls_untrace(struct bpf_backend *b)
{
    for (int i = 0; i < 2; i++)
        bpf_link__destroy(b->tracing.links[i]);
    b->tracing = (struct tracing){0};
}

int wait_calls_trace(struct bpf_backend *b)
{
    if (b->tracing.on)
        return 0;
    struct bpf_program *const progs[2] = {b->skel->progs.trace_enter, b->skel->progs.trace_exit};
    for (int i = 0; i < 2; i++) {
        b->tracing.links[i] = bpf_program__attach(progs[i]);
        if (!b->tracing.links[i]) {
            int err = -errno;
            wait_calls_untrace(b);
            return err;
        }
    }
    b->tracing.on = true;
    b->tracing.since_ns = now_ns();
    return 0;
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0; // its advice ("raise ulimit -l") is often wrong; privilege.c gives ours
}

int bpf_load(struct probe *p, struct bpf_backend *b, struct error *err)
{
    libbpf_set_print(silent);
    int e = privilege_check_pids(err);
    if (e)
        return e;
    e = load_best(p, b);
    if (e)
        return privilege_explain(err, -e, "cannot load the kernel probes");
    e = map_slots(b);
    if (e)
        goto fail;
    b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.records), bpf_record, p, NULL);
    if (!b->ring) {
        e = -errno;
        goto fail;
    }
    if (b->source == SOURCE_EXACT) {
        e = wait_calls_trace(b);
        if (e) {
            privilege_explain(err, -e, "cannot trace the wait calls (--exact)");
            bpf_unload(b);
            return e;
        }
    }
    return 0;
fail:
    error_set(err, STATUS_NO_ATTACH, -e, "cannot map the kernel probes: %s", strerror(-e));
    bpf_unload(b);
    return e;
}

void bpf_unload(struct bpf_backend *b)
{
    wait_calls_untrace(b);
    if (b->ring)
        ring_buffer__free(b->ring);
    if (b->slots)
        munmap(b->slots, b->slots_size);
    if (b->skel)
        drop_skeleton(b);
    b->ring = NULL;
    b->slots = NULL;
}
