/*===- random.c - Random numbers of a run ----------------------*- C -*-===*\
|*
|* The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), read as numpy's
|* RandomState reads it: a seed gives the numbers that ONNX's reference
|* evaluator draws with it. One generator fills one tensor, on one thread.
|*
\*===----------------------------------------------------------------------===*/

#include "compiler/emit/shell/shell.h"

enum { words = 624, distance = 397 };

typedef struct {
  uint32_t state[words];
  int next;
} generator;

/*===-- seeds -------------------------------------------------------------===*/

static void seed_with(generator *g, uint32_t seed) {
  for (int i = 0; i < words; ++i) {
    g->state[i] = seed;
    seed = UINT32_C(1812433253) * (seed ^ seed >> 30) + (uint32_t)i + 1;
  }
  g->next = words;
}

/* 64 bits that differ from run to run. */
static uint64_t entropy(void) {
  uint64_t bits = 0;
#if defined(__x86_64__)
  int64_t got;
  __asm__ volatile("syscall"
                   : "=a"(got)
                   : "0"(318 /* getrandom */), "D"(&bits), "S"(sizeof bits),
                     "d"(0)
                   : "rcx", "r11", "memory");
  if (got != (int64_t)sizeof bits) /* an old kernel, or a sandbox */
    bits = __builtin_ia32_rdtsc() * UINT64_C(0x9e3779b97f4a7c15) ^
           (uint64_t)(uintptr_t)&bits;
#elif defined(__aarch64__)
  register int64_t x0 __asm__("x0") = (int64_t)(uintptr_t)&bits;
  register int64_t x1 __asm__("x1") = sizeof bits;
  register int64_t x2 __asm__("x2") = 0;
  register int64_t x8 __asm__("x8") = 278; /* getrandom */
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
  if (x0 != (int64_t)sizeof bits) {
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    bits = ticks * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)&bits;
  }
#else
#error "where is entropy?"
#endif
  return bits;
}

/* Every word of the state from 64 bits (splitmix64). */
static void seed_anew(generator *g) {
  uint64_t x = entropy();
  for (int i = 0; i < words; ++i) {
    uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    g->state[i] = (uint32_t)(z >> 32);
  }
  g->next = words;
}

/*===-- numbers -----------------------------------------------------------===*/

static void twist(generator *g) {
  uint32_t *s = g->state;
  for (int i = 0; i < words; ++i) {
    uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % words] & 0x7fffffffu);
    s[i] = s[(i + distance) % words] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
  }
  g->next = 0;
}

static uint32_t next_word(generator *g) {
  if (g->next == words)
    twist(g);
  uint32_t y = g->state[g->next++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

/* In [0, 1), of 53 digits. */
static double next_uniform(generator *g) {
  uint32_t high = next_word(g) >> 5, low = next_word(g) >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

/* A point in the unit circle, not in its centre; returns its squared radius. */
static double next_point(generator *g, double *x, double *y) {
  double square;
  do {
    *x = 2 * next_uniform(g) - 1;
    *y = 2 * next_uniform(g) - 1;
    square = *x * *x + *y * *y;
  } while (square >= 1 || square == 0);
  return square;
}

/*===-- boxed tensors -----------------------------------------------------===*/

/* A boxed tensor of `count` numbers that are still to be drawn; NULL: no
 * memory. */
static onnxc_value *prepare(onnxc_frame *frame, generator *g, int64_t count,
                            int64_t is_seeded, int64_t seed) {
  onnxc_value *value = onnxc_shell_value_tensor(frame, ONNXC_DOUBLE, 1, &count);
  if (value && is_seeded)
    seed_with(g, (uint32_t)seed);
  else if (value)
    seed_anew(g);
  return value;
}

const onnxc_value *onnxc_shell_value_uniform(onnxc_frame *frame, int64_t count,
                                             int64_t is_seeded, int64_t seed) {
  generator g;
  onnxc_value *value = prepare(frame, &g, count, is_seeded, seed);
  for (int64_t i = 0; value && i < count; ++i)
    ((double *)value->data)[i] = next_uniform(&g);
  return value;
}

const onnxc_value *onnxc_shell_value_polar(onnxc_frame *frame, int64_t count,
                                           int64_t is_seeded, int64_t seed) {
  generator g;
  /* What does not fit is a count that nobody can give memory for. */
  int64_t numbers = count > INT64_MAX / 2 ? -1 : 2 * count;
  onnxc_value *value = prepare(frame, &g, numbers, is_seeded, seed);
  for (int64_t i = 0; value && i < count; i += 2) {
    double x, y, square = next_point(&g, &x, &y);
    double *at = (double *)value->data + 2 * i;
    at[0] = y;
    at[1] = square;
    if (i + 1 < count) {
      at[2] = x;
      at[3] = square;
    }
  }
  return value;
}
