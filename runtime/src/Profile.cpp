//===- Profile.cpp - When each kernel of a session's runs ran -===//
#include "Profile.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace onnxc::runtime {

/// ONNX Runtime stops at the same number.
static constexpr size_t maxEvents = 1000000;

int64_t clockNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

//===----------------------------------------------------------------------===//
// One run
//===----------------------------------------------------------------------===//

void RunProfile::clear() {
  events.clear();
  sizes.clear();
}

void RunProfile::begin() { kernelBegin = clockNanoseconds(); }

void RunProfile::end(const onnxc_kernel_info *kernel, int64_t flops,
                     int64_t bytes, const int64_t *kernelSizes) {
  int64_t now = clockNanoseconds();
  size_t firstSize = sizes.size();
  try {
    sizes.insert(sizes.end(), kernelSizes, kernelSizes + kernel->size_count);
    events.push_back({kernel, nullptr, kernelBegin, now, flops, bytes, 0});
  } catch (const std::bad_alloc &) {
    sizes.resize(firstSize);
  }
}

//===----------------------------------------------------------------------===//
// All runs
//===----------------------------------------------------------------------===//

Profile::Profile()
    : wallStart(std::chrono::duration_cast<std::chrono::nanoseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count()),
      clockStart(clockNanoseconds()) {}

void Profile::add(const RunProfile &run, int64_t begin, int64_t end) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!recording)
    return;
  try {
    auto index = static_cast<int64_t>(runs.size());
    runs.push_back({begin - clockStart, end - clockStart, gettid()});
    const int64_t *next = run.sizes.data();
    for (onnxc_profile_event event : run.events) {
      if (events.size() == maxEvents)
        return;
      event.begin_ns -= clockStart;
      event.end_ns -= clockStart;
      event.run = index;
      size_t firstSize = sizes.size();
      sizes.insert(sizes.end(), next, next + event.kernel->size_count);
      next += event.kernel->size_count;
      events.push_back({event, firstSize});
    }
  } catch (const std::bad_alloc &) {
    recording = false;
  }
}

onnxc_profile_event Profile::complete(const Event &recorded) const {
  onnxc_profile_event event = recorded.event;
  event.sizes = sizes.data() + recorded.firstSize;
  return event;
}

size_t Profile::eventCount() {
  std::lock_guard<std::mutex> lock(mutex);
  return events.size();
}

bool Profile::event(size_t index, onnxc_profile_event &event) {
  std::lock_guard<std::mutex> lock(mutex);
  if (index >= events.size())
    return false;
  event = complete(events[index]);
  return true;
}

//===----------------------------------------------------------------------===//
// The trace
//===----------------------------------------------------------------------===//

static void appendFormat(std::string &text, const char *format, double value) {
  char number[64];
  snprintf(number, sizeof number, format, value);
  text += number;
}

/// A JSON string. What is not UTF-8 in a name stays what it is.
static void appendString(std::string &text, const char *value) {
  text += '"';
  for (const char *c = value; *c; ++c) {
    if (*c == '"' || *c == '\\') {
      text += '\\';
      text += *c;
    } else if (static_cast<unsigned char>(*c) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", *c);
      text += escape;
    } else {
      text += *c;
    }
  }
  text += '"';
}

static std::string joined(const char *const *texts, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result += (i ? " + " : "") + std::string(texts[i]);
  return result;
}

static std::string withSizes(const char *shapes, const int64_t *sizes) {
  std::string result;
  for (const char *c = shapes; *c; ++c)
    result += *c == '?' ? std::to_string(*sizes++) : std::string(1, *c);
  return result;
}

/// A complete event: microseconds from the start.
static void appendSpan(std::string &text, const char *category,
                       const std::string &name, int64_t begin, int64_t end,
                       int64_t thread) {
  text += "{\"ph\":\"X\",\"cat\":\"";
  text += category;
  text += "\",\"name\":";
  appendString(text, name.c_str());
  appendFormat(text, ",\"ts\":%.3f", static_cast<double>(begin) * 1e-3);
  appendFormat(text, ",\"dur\":%.3f", static_cast<double>(end - begin) * 1e-3);
  text += ",\"pid\":" + std::to_string(getpid()) +
          ",\"tid\":" + std::to_string(thread) + ",\"args\":{";
}

static void appendKernel(std::string &text, const onnxc_profile_event &event,
                         int64_t thread) {
  const onnxc_kernel_info &kernel = *event.kernel;
  std::string operators = joined(kernel.operators, kernel.node_count);
  std::string nodes = joined(kernel.nodes, kernel.node_count);
  appendSpan(text, "Node", nodes.empty() ? kernel.kind : nodes, event.begin_ns,
             event.end_ns, thread);
  text += "\"op_name\":";
  appendString(text, operators.c_str());
  text += ",\"nodes\":[";
  for (size_t i = 0; i < kernel.node_count; ++i) {
    text += i ? ",{\"name\":" : "{\"name\":";
    appendString(text, kernel.nodes[i]);
    text += ",\"op_type\":";
    appendString(text, kernel.operators[i]);
    text += "}";
  }
  text += "],\"kernel\":";
  appendString(text, kernel.kind);
  text += ",\"shapes\":";
  appendString(text, withSizes(kernel.shapes, event.sizes).c_str());
  text += ",\"run\":" + std::to_string(event.run);
  auto nanoseconds =
      static_cast<double>(std::max<int64_t>(event.end_ns - event.begin_ns, 1));
  if (event.flops) {
    text += ",\"flops\":" + std::to_string(event.flops);
    appendFormat(text, ",\"gflops_per_s\":%.3f",
                 static_cast<double>(event.flops) / nanoseconds);
  }
  if (event.bytes) {
    text += ",\"bytes\":" + std::to_string(event.bytes);
    appendFormat(text, ",\"gb_per_s\":%.3f",
                 static_cast<double>(event.bytes) / nanoseconds);
  }
  text += "}}";
}

std::string Profile::trace() const {
  std::string text = "[";
  size_t next = 0;
  for (size_t run = 0; run < runs.size(); ++run) {
    text += run ? ",\n" : "\n";
    appendSpan(text, "Session", "model_run", runs[run].begin, runs[run].end,
               runs[run].thread);
    text += "\"run\":" + std::to_string(run) + "}}";
    for (; next < events.size() &&
           events[next].event.run == static_cast<int64_t>(run);
         ++next) {
      text += ",\n";
      appendKernel(text, complete(events[next]), runs[run].thread);
    }
  }
  return text + "\n]\n";
}

Status Profile::finish(const char *path) {
  std::lock_guard<std::mutex> lock(mutex);
  recording = false;
  std::string text = trace();
  FILE *file = fopen(path, "we");
  bool written =
      file && fwrite(text.data(), 1, text.size(), file) == text.size();
  int error = errno;
  if (file && fclose(file) != 0) {
    error = errno;
    written = false;
  }
  if (!written)
    return makeStatus(ONNXC_STATUS_SYSTEM_ERROR, "cannot write the trace to " +
                                                     quoted(path) + ": " +
                                                     strerror(error));
  return nullptr;
}

} // namespace onnxc::runtime
