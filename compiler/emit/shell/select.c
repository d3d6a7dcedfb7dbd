/*===- select.c - Which of a library's variants runs on this CPU ----------===*/

#include "compiler/emit/shell/shell.h"
#include "runtime/src/CpuFeatures.h"

__attribute__((visibility("default"))) const onnxc_model *
onnxc_get_model(void) {
  int64_t last = onnxc_generated_variant_count - 1;
  if (last > 0) {
    uint64_t present = onnxc_cpu_features();
    for (int64_t i = 0; i < last; ++i)
      if ((onnxc_generated_variants[i]->cpu_features & ~present) == 0)
        return onnxc_generated_variants[i]->model;
  }
  /* The note says what this one needs. */
  return onnxc_generated_variants[last]->model;
}
