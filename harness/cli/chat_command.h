#pragma once

#include "harness/cli/command.h"

namespace trialwright {

/// `trialwright chat MODEL`.
Command chat_command();

}  // namespace trialwright
