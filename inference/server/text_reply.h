#pragma once

#include <span>
#include <string_view>

#include "inference/server/answer.h"
#include "inference/server/text_request.h"

namespace trialwright {

/// The body of an answer to /v1/completions.
///
/// answers  those to the first prompt, then those to the second, and so on.
///
/// Log-probabilities stand at the tokens they belong to: with `echo` the first token of the prompt
/// has null, as nothing comes before it. `text_offset` counts code points of `text`. Tokens that
/// are not in the text, such as a BOS or the one that ended the answer, have their text and the
/// offset of what follows.
Json text_reply(const ReplyStamp& stamp, const TextRequest& request,
                std::span<const Answer> answers, const TokenModel& tokens);

/// One event of a stream: what one choice adds.
Json text_chunk(const ReplyStamp& stamp, const TextRequest& request, std::size_t choice,
                std::string_view text);
/// A choice's last event but for the usage: why it ended, and log-probabilities of all its tokens
/// if they were asked for.
Json text_end_chunk(const ReplyStamp& stamp, const TextRequest& request, std::size_t choice,
                    const Answer& answer, const TokenModel& tokens);
/// The event without choices that tells the usage.
Json text_usage_chunk(const ReplyStamp& stamp, const Usage& usage);

/// Every prompt counts once, however many answers it got.
Usage text_usage(const TextRequest& request, std::span<const Answer> answers);

}  // namespace trialwright
