#pragma once

#include "harness/cli/command.h"

namespace trialwright {

/// `trialwright serve MODEL`.
Command serve_command();

}  // namespace trialwright
