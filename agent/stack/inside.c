// openat2(RESOLVE_IN_ROOT) does this in one call, but takes its flags through a pointer, where the agent's system call
// filter cannot see that nothing is opened for writing. So the path is walked here, a name at a time, by descriptors:
// a folder that is moved or replaced meanwhile cannot lead out, as ".." goes back to a descriptor that was held.
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 64
#define MAX_LINKS 40

struct walk {
    int root, flags;
    int depth, at[MAX_DEPTH]; // folders below root
    int links;
    char rest[2 * PATH_MAX]; // what is still to be walked
};

static int here(const struct walk *w)
{
    return w->depth ? w->at[w->depth - 1] : w->root;
}

static void back_to(struct walk *w, int depth)
{
    while (w->depth > depth)
        close(w->at[--w->depth]);
}

// Puts a link's text before what is left.
static int follow(struct walk *w, int link)
{
    char text[PATH_MAX], rest[sizeof(w->rest)];
    ssize_t n = readlinkat(link, "", text, sizeof(text) - 1);
    if (n < 0)
        return -errno;
    if (++w->links > MAX_LINKS)
        return -ELOOP;
    text[n] = '\0';
    if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", text, w->rest) >= sizeof(rest))
        return -ENAMETOOLONG;
    memcpy(w->rest, rest, sizeof(rest));
    if (text[0] == '/')
        back_to(w, 0);
    return 0;
}

static int enter(struct walk *w, const char *name)
{
    struct stat st;
    int fd = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) == 0 ? 0 : -errno;
    if (r == 0 && S_ISLNK(st.st_mode))
        r = follow(w, fd);
    else if (r == 0 && S_ISDIR(st.st_mode) && w->depth < MAX_DEPTH) {
        w->at[w->depth++] = fd;
        return 0;
    } else if (r == 0)
        r = S_ISDIR(st.st_mode) ? -ENAMETOOLONG : -ENOTDIR;
    close(fd);
    return r;
}

// The last name: a file, opened, or a link, which leaves more to be walked (-EAGAIN).
static int arrive(struct walk *w, const char *name)
{
    int fd = openat(here(w), name, w->flags | O_NOFOLLOW);
    if (fd >= 0 || errno != ELOOP)
        return fd >= 0 ? fd : -errno;
    int link = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (link < 0)
        return -errno;
    int r = follow(w, link);
    close(link);
    return r < 0 ? r : -EAGAIN;
}

// Takes the next name out of w->rest; empty: there is none.
static bool next_name(struct walk *w, char name[NAME_MAX + 1])
{
    const char *from = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(from, "/");
    if (n > NAME_MAX)
        return false;
    memcpy(name, from, n);
    name[n] = '\0';
    from += n;
    from += strspn(from, "/");
    memmove(w->rest, from, strlen(from) + 1);
    return true;
}

static int step(struct walk *w)
{
    char name[NAME_MAX + 1];
    if (!next_name(w, name))
        return -ENAMETOOLONG;
    bool last = !w->rest[0];
    if (!strcmp(name, "..") || !strcmp(name, ".") || !name[0]) {
        if (name[0] && name[1])
            back_to(w, w->depth ? w->depth - 1 : 0);
        return last ? -EISDIR : -EAGAIN;
    }
    if (last)
        return arrive(w, name);
    int r = enter(w, name);
    return r < 0 ? r : -EAGAIN;
}

int open_inside(int root, const char *path, int flags)
{
    struct walk w = {.root = root, .flags = flags};
    int r;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(w.rest, path);
    do
        r = step(&w);
    while (r == -EAGAIN);
    back_to(&w, 0);
    return r;
}
