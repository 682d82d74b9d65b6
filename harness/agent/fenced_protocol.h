#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inference/chat/tool_call_format.h"
#include "inference/message.h"

namespace trialwright {

/// Tool calls as fenced blocks in plain text, for models whose template has no tool format or that
/// do not keep to it. One call a turn:
///
///     ```bash                 ```write_file notes.txt        ```submit
///     ls -l                   first line                     done
///     ```                     ```                            ```
///
/// The word after the fence names the tool, the rest of that line its path; the body is the tool's
/// text. `sh`, `shell` and `console` are read as bash, since models write them.

/// What the model is told of the tools' forms, put after the scaffold's system prompt and before
/// its examples.
std::string fenced_instructions(const std::vector<ToolDefinition>& tools,
                                std::string_view examples);

/// Generation stops here: what comes after the first block would be the model's guess at the
/// output.
std::string fenced_stop_text();

/// The first block of a reply as a call. A reply without one has no calls and no errors; a block
/// that ends with the reply is read as if it were closed. The text is what stands before the block.
ParsedToolCalls parse_fenced_call(std::string_view reply);

}  // namespace trialwright
