//===- MachineTest.cpp - CPU limits -===//
#include "Machine.h"
#include "Support.h"

#include <sched.h>

using namespace onnxc::runtime;
using onnxc::test::TemporaryFolder;

namespace {

TEST(CgroupLimit, None) {
  TemporaryFolder root;
  EXPECT_EQ(cgroupCpuLimit(root.path()), 0);
  root.write("proc/self/cgroup", "0::/\n");
  root.write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 0);
  root.write("sys/fs/cgroup/cpu.max", "nonsense\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 0);
}

TEST(CgroupLimit, Version2) {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/a/b\n");
  root.write("sys/fs/cgroup/a/b/cpu.max", "450000 100000\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 5);
  root.write("sys/fs/cgroup/a/cpu.max", "150000 100000\n"); // a parent's
  EXPECT_EQ(cgroupCpuLimit(root.path()), 2);
}

TEST(CgroupLimit, PathOutsideTheContainer) {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/docker/0123\n");
  root.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 1);
}

TEST(CgroupLimit, Version1) {
  TemporaryFolder root;
  root.write("proc/self/cgroup",
             "5:memory:/x\n4:cpu,cpuacct:/x\n3:cpuset:/x\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 0);
  root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cgroupCpuLimit(root.path()), 3);
}

TEST(Affinity, OneCpu) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  EXPECT_LE(affinityCoreCount(), CPU_COUNT(&before));
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(affinityCoreCount(), 1);
  EXPECT_EQ(onnxc_default_thread_count(), 1);
  sched_setaffinity(0, sizeof before, &before);
}

} // namespace
