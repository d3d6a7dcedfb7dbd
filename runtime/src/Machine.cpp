//===- Machine.cpp - How many CPUs this process may use -===//
#include "Machine.h"

#include "onnxc/c_api.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <sched.h>
#include <set>
#include <sstream>

namespace onnxc::runtime {

static std::string readLine(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int affinityCoreCount() {
  // The mask has to be as large as the kernel's, which may know more CPUs than
  // a cpu_set_t holds.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    struct Free {
      void operator()(cpu_set_t *set) const { CPU_FREE(set); }
    };
    std::unique_ptr<cpu_set_t, Free> set(CPU_ALLOC(cpus));
    if (!set)
      return 1;
    if (sched_getaffinity(0, bytes, set.get()) != 0)
      continue;
    std::set<std::string> cores;
    for (int cpu = 0; cpu < cpus; ++cpu) {
      if (!CPU_ISSET_S(cpu, bytes, set.get()))
        continue;
      std::string siblings =
          readLine("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                   "/topology/thread_siblings_list");
      // Without topology each CPU counts.
      cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
    }
    return std::max<int>(1, static_cast<int>(cores.size()));
  }
  return 1;
}

static int limitOf(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0)
    return 0;
  return static_cast<int>(
      std::min<int64_t>(quota / period + (quota % period != 0), 1 << 20));
}

static int smaller(int a, int b) {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

/// "max 100000" or "150000 100000".
static int limitV2(const std::string &folder) {
  std::istringstream text(readLine(folder + "/cpu.max"));
  int64_t quota = 0, period = 0;
  if (text >> quota >> period)
    return limitOf(quota, period);
  return 0;
}

static int limitV1(const std::string &folder) {
  std::istringstream quotaText(readLine(folder + "/cpu.cfs_quota_us"));
  std::istringstream periodText(readLine(folder + "/cpu.cfs_period_us"));
  int64_t quota = 0, period = 0;
  if (quotaText >> quota && periodText >> period)
    return limitOf(quota, period);
  return 0;
}

/// The smallest limit from `path` up to the mount. In a container the path is
/// often not there; then only the mount's own limit counts.
template <typename Limit>
static int limitUpwards(const std::string &mount, std::string path,
                        Limit limit) {
  int result = 0;
  while (true) {
    while (!path.empty() && path.back() == '/')
      path.pop_back();
    result = smaller(result, limit(mount + path));
    if (path.empty())
      return result;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

int cgroupCpuLimit(const std::string &root) {
  std::ifstream file(root + "/proc/self/cgroup");
  const std::string base = root + "/sys/fs/cgroup";
  int result = 0;
  for (std::string line; std::getline(file, line);) {
    // hierarchy:controllers:path
    size_t first = line.find(':');
    size_t second =
        first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos)
      continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      for (const char *mount : {"", "/unified"})
        result = smaller(result, limitUpwards(base + mount, path, limitV2));
      continue;
    }
    if ((',' + controllers + ',').find(",cpu,") == std::string::npos)
      continue;
    for (const std::string &mount : {std::string("cpu"), controllers})
      result = smaller(result, limitUpwards(base + '/' + mount, path, limitV1));
  }
  return result;
}

int defaultThreadCount() {
  return smaller(affinityCoreCount(), cgroupCpuLimit());
}

} // namespace onnxc::runtime

int32_t onnxc_default_thread_count(void) {
  try {
    return onnxc::runtime::defaultThreadCount();
  } catch (...) {
    return 1; // out of memory
  }
}
