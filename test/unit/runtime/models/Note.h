/*===- Note.h - The note that marks a compiled model ----------*- C -*-===*/
#ifndef ONNXC_TEST_UNIT_RUNTIME_MODELS_NOTE_H
#define ONNXC_TEST_UNIT_RUNTIME_MODELS_NOTE_H

#define ONNXC_STRING_OF_(x) #x
#define ONNXC_STRING_OF(x) ONNXC_STRING_OF_(x)

#ifndef NOTE_ABI_VERSION
#define NOTE_ABI_VERSION 3
#endif
#ifndef NOTE_CPU_FEATURES
#define NOTE_CPU_FEATURES 0
#endif
#ifndef NOTE_FILE_BYTES
#define NOTE_FILE_BYTES 0
#endif

/* name size, descriptor size, type, name; then onnxc_note. */
__asm__(
    ".pushsection .note.onnxc,\"a\",@note\n"
    ".balign 4\n.long 6\n.long 24\n.long 1\n.asciz \"onnxc\"\n"
    ".balign 4\n.long " ONNXC_STRING_OF(
        NOTE_ABI_VERSION) "\n.long 0\n"
                          ".quad " ONNXC_STRING_OF(
                              NOTE_CPU_FEATURES) "\n"
                                                 ".quad " ONNXC_STRING_OF(
                                                     NOTE_FILE_BYTES) "\n."
                                                                      "popsecti"
                                                                      "on");

#endif
