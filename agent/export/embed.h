// Files that are part of the program: EMBED(name, path) defines name and name_end.
#ifndef LOOPSCOPE_EXPORT_EMBED_H
#define LOOPSCOPE_EXPORT_EMBED_H

#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n" #name                       \
            "_end:\n.byte 0\n.popsection\n");                                                      \
    extern const char name[] __attribute__((visibility("hidden")));                                \
    extern const char name##_end[] __attribute__((visibility("hidden")))

#endif
