// A path as a process sees it, opened without leaving that process's root.
#ifndef LOOPSCOPE_STACK_INSIDE_H
#define LOOPSCOPE_STACK_INSIDE_H

// root: O_PATH descriptor of the folder that is "/". Symbolic links, "..", and absolute ones too, end at root; links of
// /proc that lead elsewhere are taken by their text. -errno; -ELOOP: too many links.
int open_inside(int root, const char *path, int flags);

#endif
