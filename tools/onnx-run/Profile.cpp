//===- Profile.cpp - Where the time of a profiled model goes -*- C++ -*-===//
#include "Profile.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace onnxc::run {

namespace {

/// Of all events of a kernel, or of kernels alike.
struct Total {
  double milliseconds = 0;
  int64_t calls = 0, flops = 0, bytes = 0;
  std::string operators, what;

  void add(const onnxc_profile_event &event) {
    milliseconds += static_cast<double>(event.end_ns - event.begin_ns) * 1e-6;
    ++calls;
    flops += event.flops;
    bytes += event.bytes;
  }
};

} // namespace

static std::string joined(const char *const *texts, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result += (i ? " + " : "") + std::string(texts[i]);
  return result;
}

static std::string shapeOf(const onnxc_profile_event &event) {
  std::string result;
  const int64_t *size = event.sizes;
  for (const char *c = event.kernel->shapes; *c; ++c)
    result += *c == '?' ? std::to_string(*size++) : std::string(1, *c);
  return result;
}

/// A rate per nanosecond, or a dash where the work is not known.
static std::string rate(int64_t work, double milliseconds) {
  if (!work || milliseconds <= 0)
    return "-";
  char text[32];
  snprintf(text, sizeof text, "%.1f",
           static_cast<double>(work) / (milliseconds * 1e6));
  return text;
}

static void printTotals(std::vector<Total> totals, double all, int64_t runs) {
  std::sort(totals.begin(), totals.end(), [](const Total &a, const Total &b) {
    return a.milliseconds > b.milliseconds;
  });
  printf("%7s %10s %7s %8s %8s  %-28s %s\n", "share", "ms", "calls", "GFLOP/s",
         "GB/s", "operators", totals[0].what.empty() ? "" : "nodes: kernel");
  for (const Total &total : totals)
    printf("%6.1f%% %10.4f %7.1f %8s %8s  %-28s %s\n",
           all > 0 ? 100 * total.milliseconds / all : 0,
           total.milliseconds / static_cast<double>(runs),
           static_cast<double>(total.calls) / static_cast<double>(runs),
           rate(total.flops, total.milliseconds).c_str(),
           rate(total.bytes, total.milliseconds).c_str(),
           total.operators.c_str(), total.what.c_str());
}

void printProfile(const onnxc::Session &session) {
  std::vector<onnxc_profile_event> events = session.GetProfile();
  if (events.empty()) {
    printf("profile    no kernel ran\n");
    return;
  }
  std::map<const onnxc_kernel_info *, size_t> positions;
  std::map<std::string, Total> byOperators;
  std::vector<Total> kernels;
  double all = 0;
  for (const onnxc_profile_event &event : events) {
    const onnxc_kernel_info &kernel = *event.kernel;
    auto [position, isNew] = positions.try_emplace(&kernel, kernels.size());
    if (isNew) {
      Total total;
      total.operators = joined(kernel.operators, kernel.node_count);
      total.what = joined(kernel.nodes, kernel.node_count) + ": " +
                   kernel.kind + " " + shapeOf(event);
      kernels.push_back(total);
    }
    Total &total = kernels[position->second];
    total.add(event);
    Total &type = byOperators[total.operators];
    type.operators = total.operators;
    type.add(event);
    all += static_cast<double>(event.end_ns - event.begin_ns) * 1e-6;
  }
  int64_t runs = events.back().run + 1;
  printf("profile    of %lld runs, each %.3f ms in %zu kernels\n\n",
         static_cast<long long>(runs), all / static_cast<double>(runs),
         kernels.size());
  printTotals(std::move(kernels), all, runs);
  printf("\n");
  std::vector<Total> types;
  for (const auto &[operators, total] : byOperators)
    types.push_back(total);
  printTotals(std::move(types), all, runs);
}

} // namespace onnxc::run
