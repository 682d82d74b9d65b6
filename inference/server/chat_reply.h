#pragma once

#include <span>
#include <string_view>

#include "inference/server/answer.h"
#include "inference/server/chat_request.h"

namespace trialwright {

/// The body of an answer to /v1/chat/completions.
///
/// answers  one a choice.
/// tokens   needed where log-probabilities were asked for.
Json chat_reply(const ReplyStamp& stamp, const ChatRequest& request,
                std::span<const Answer> answers, const TokenModel* tokens);

/// One event of a stream: what one choice adds.
Json chat_chunk(const ReplyStamp& stamp, const ChatRequest& request, std::size_t choice,
                Json delta);
/// A choice's last event but for the usage: why it ended, and log-probabilities of all its tokens
/// if they were asked for.
Json chat_end_chunk(const ReplyStamp& stamp, const ChatRequest& request, std::size_t choice,
                    const Completion& completion, const TokenModel* tokens);
/// The event without choices that tells the usage.
Json chat_usage_chunk(const ReplyStamp& stamp, const Usage& usage);

/// `delta` for the first, for a piece of text, and for the call `number` of its choice.
Json role_delta();
Json text_delta(std::string_view text);
Json call_delta(const ToolCall& call, std::size_t number);

/// The prompt counts once, however many answers it got.
Usage chat_usage(std::span<const Answer> answers);

}  // namespace trialwright
