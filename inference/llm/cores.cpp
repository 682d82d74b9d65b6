#include "inference/llm/cores.h"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "inference/llm/control_group.h"

namespace trialwright {

int usable_cores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // It fails on a machine with more cores than the set has places for; then the limit is not known.
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    cores = CPU_COUNT(&allowed);
  }
  if (const auto granted = cores_granted_by(own_control_groups())) {
    cores = std::min(cores, *granted);
  }
  return std::max(1, cores);
}

}  // namespace trialwright
