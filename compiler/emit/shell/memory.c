/*===- memory.c - The memory routines that LLVM calls -----------*- C -*-===*/

#include <stddef.h>
#include <stdint.h>

typedef uint64_t word
    __attribute__((aligned(1), may_alias)); /* at any address */
typedef uint32_t half_word __attribute__((aligned(1), may_alias));
typedef uint16_t quarter_word __attribute__((aligned(1), may_alias));
typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));

/* From here on x86's string instructions beat a loop. */
enum { string_instruction_bytes = 2048 };

/* Up to 64 bytes; all is read before anything is written. */
static inline void copy_small(char *to, const char *from, size_t size) {
  if (size > 32) {
    block a = *(const block *)from, b = *(const block *)(from + 16);
    block c = *(const block *)(from + size - 32);
    block d = *(const block *)(from + size - 16);
    *(block *)to = a;
    *(block *)(to + 16) = b;
    *(block *)(to + size - 32) = c;
    *(block *)(to + size - 16) = d;
  } else if (size >= 16) {
    block a = *(const block *)from, b = *(const block *)(from + size - 16);
    *(block *)to = a;
    *(block *)(to + size - 16) = b;
  } else if (size >= 8) {
    word a = *(const word *)from, b = *(const word *)(from + size - 8);
    *(word *)to = a;
    *(word *)(to + size - 8) = b;
  } else if (size >= 4) {
    half_word a = *(const half_word *)from;
    half_word b = *(const half_word *)(from + size - 4);
    *(half_word *)to = a;
    *(half_word *)(to + size - 4) = b;
  } else if (size >= 2) {
    quarter_word a = *(const quarter_word *)from;
    quarter_word b = *(const quarter_word *)(from + size - 2);
    *(quarter_word *)to = a;
    *(quarter_word *)(to + size - 2) = b;
  } else if (size) {
    *to = *from;
  }
}

/* More than 64 bytes; `to` may lie up to any distance before `from`. */
static inline void copy_forward(char *to, const char *from, size_t size) {
  const char *end = from + size;
  block t0 = *(const block *)(end - 64), t1 = *(const block *)(end - 48);
  block t2 = *(const block *)(end - 32), t3 = *(const block *)(end - 16);
  char *last = to + size;
  for (size_t i = 0; i + 64 < size; i += 64) {
    block a = *(const block *)(from + i), b = *(const block *)(from + i + 16);
    block c = *(const block *)(from + i + 32);
    block d = *(const block *)(from + i + 48);
    *(block *)(to + i) = a;
    *(block *)(to + i + 16) = b;
    *(block *)(to + i + 32) = c;
    *(block *)(to + i + 48) = d;
  }
  *(block *)(last - 64) = t0;
  *(block *)(last - 48) = t1;
  *(block *)(last - 32) = t2;
  *(block *)(last - 16) = t3;
}

/* More than 64 bytes; `to` may lie behind `from`. */
static inline void copy_backward(char *to, const char *from, size_t size) {
  block h0 = *(const block *)from, h1 = *(const block *)(from + 16);
  block h2 = *(const block *)(from + 32), h3 = *(const block *)(from + 48);
  for (size_t i = size; i > 64; i -= 64) {
    block a = *(const block *)(from + i - 16);
    block b = *(const block *)(from + i - 32);
    block c = *(const block *)(from + i - 48);
    block d = *(const block *)(from + i - 64);
    *(block *)(to + i - 16) = a;
    *(block *)(to + i - 32) = b;
    *(block *)(to + i - 48) = c;
    *(block *)(to + i - 64) = d;
  }
  *(block *)to = h0;
  *(block *)(to + 16) = h1;
  *(block *)(to + 32) = h2;
  *(block *)(to + 48) = h3;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  if (size <= 64) {
    copy_small(to, from, size);
    return to;
  }
#ifdef __x86_64__
  if (size >= string_instruction_bytes) {
    void *target = to;
    __asm__ volatile("rep movsb"
                     : "+D"(target), "+S"(from), "+c"(size)
                     :
                     : "memory");
    return to;
  }
#endif
  copy_forward(to, from, size);
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  if (size <= 64)
    copy_small(to, from, size);
  else if ((uintptr_t)to - (uintptr_t)from >= size)
    copy_forward(to, from, size);
  else
    copy_backward(to, from, size);
  return to;
}

void *memset(void *to, int value, size_t size) {
  char *bytes = to;
  if (size < 16) {
    for (size_t i = 0; i < size; ++i)
      ((volatile char *)bytes)[i] = (char)value;
    return to;
  }
#ifdef __x86_64__
  if (size >= string_instruction_bytes) {
    void *target = to;
    __asm__ volatile("rep stosb"
                     : "+D"(target), "+c"(size)
                     : "a"(value)
                     : "memory");
    return to;
  }
#endif
  block all = (block){0} + (uint8_t)value;
  for (size_t i = 0; i + 16 < size; i += 16)
    *(block *)(bytes + i) = all;
  *(block *)(bytes + size - 16) = all;
  return to;
}

int memcmp(const void *left, const void *right, size_t size) {
  const unsigned char *a = left, *b = right;
  size_t i = 0;
  while (i + 8 <= size && *(const word *)(a + i) == *(const word *)(b + i))
    i += 8;
  for (; i < size; ++i)
    if (a[i] != b[i])
      return a[i] < b[i] ? -1 : 1;
  return 0;
}

int bcmp(const void *left, const void *right, size_t size) {
  return memcmp(left, right, size);
}
