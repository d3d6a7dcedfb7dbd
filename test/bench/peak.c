/* peak.c - What one core can do at most: multiply-adds from registers, and
 * reading memory that is in no cache. Prints GFLOP/s and GB/s. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
enum { lanes = 16 };
#elif defined(__AVX__)
enum { lanes = 8 };
#else
enum { lanes = 4 };
#endif
enum { chains = 12, rounds = 15 };

typedef float vector __attribute__((vector_size(lanes * sizeof(float))));

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The best of the rounds: what else runs only takes away. */
static double best_flops(void) {
  enum { steps = 1000000 };
  vector sums[chains] = {0}, factor = {0};
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    double start = now();
    for (int step = 0; step < steps; ++step) {
#pragma clang loop unroll(full)
      for (int i = 0; i < chains; ++i)
        sums[i] = sums[i] * factor + factor;
      __asm__ volatile("" : "+x"(factor));
    }
    double rate = 2.0 * lanes * chains * steps / (now() - start);
    best = rate > best ? rate : best;
  }
  for (int i = 0; i < chains; ++i)
    __asm__ volatile("" ::"x"(sums[i]));
  return best;
}

static double best_bytes(void) {
  size_t count = (size_t)256 << 20;
  char *memory = malloc(count);
  if (!memory)
    return 0;
  for (size_t i = 0; i < count; i += 4096)
    memory[i] = 1;
  double best = 0;
  uint64_t total = 0;
  for (int round = 0; round < rounds; ++round) {
    double start = now();
    const uint64_t *words = (const uint64_t *)memory;
    for (size_t i = 0; i < count / sizeof(uint64_t); ++i)
      total += words[i];
    double rate = (double)count / (now() - start);
    best = rate > best ? rate : best;
  }
  __asm__ volatile("" ::"r"(total));
  free(memory);
  return best;
}

int main(void) {
  printf("%.1f %.1f\n", best_flops() / 1e9, best_bytes() / 1e9);
  return 0;
}
