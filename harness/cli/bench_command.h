#pragma once

#include "harness/cli/command.h"

namespace trialwright {

/// bench: how fast a model is on this machine, beside what the machine can do at most.
Command bench_command();

}  // namespace trialwright
