/*===- plain.c - A shared library that is no compiled model ---*- C -*-===*\
|*
|* With -DWITH_NOTE it claims to be one.
|*
\*===----------------------------------------------------------------------===*/
#ifdef WITH_NOTE
#include "Note.h"
#endif

__attribute__((visibility("default"))) int plain(void) { return 1; }
