#pragma once

namespace trialwright {

/// How many cores this process may use, at least 1: those that it is allowed to run on, or fewer
/// where a control group grants less time.
int usable_cores();

}  // namespace trialwright
