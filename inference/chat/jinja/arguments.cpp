#include "inference/chat/jinja/arguments.h"

#include <algorithm>

namespace trialwright::jinja {

Result<std::vector<const Value*>> bind_arguments(Context& context, std::string_view callee,
                                                 std::initializer_list<std::string_view> parameters,
                                                 const CallArguments& arguments) {
  const std::string prefix = "\"" + std::string(callee) + "\" ";
  if (arguments.positional.size() > parameters.size()) {
    return context.error(prefix + "takes at most " + std::to_string(parameters.size()) +
                         " arguments");
  }
  std::vector<const Value*> bound(parameters.size(), nullptr);
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) bound[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* place = std::ranges::find(parameters, name);
    if (place == parameters.end()) {
      return context.error(prefix + "has no argument \"" + std::string(name) + "\"");
    }
    const Value*& slot = bound[static_cast<std::size_t>(place - parameters.begin())];
    if (slot != nullptr) {
      return context.error(prefix + "is given \"" + std::string(name) + "\" twice");
    }
    slot = &value;
  }
  return bound;
}

}  // namespace trialwright::jinja
