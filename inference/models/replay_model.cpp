#include "inference/models/replay_model.h"

namespace trialwright {

Digest conversation_digest(std::span<const Message> messages) {
  Hasher hasher;
  for (const Message& message : messages) {
    hasher.field(role_name(message.role)).field(message.content).field(message.tool_call_id);
    hasher.field(static_cast<std::int64_t>(message.tool_calls.size()));
    for (const ToolCall& call : message.tool_calls) {
      hasher.field(call.id).field(call.name).field(to_text(call.arguments));
    }
  }
  return hasher.finish();
}

ReplayModel::ReplayModel(std::vector<RecordedReply> replies, ModelIdentity recorded)
    : identity_(std::move(recorded)), replies_(std::move(replies)) {
  identity_.provider = "replay";
  identity_.can_score = false;
}

Result<Completion> ReplayModel::complete(const CompletionRequest& request, std::stop_token stop) {
  if (stop.stop_requested()) {
    Completion ended;
    ended.finish = FinishReason::Cancelled;
    return ended;
  }
  const std::scoped_lock lock(mutex_);
  const std::string turn = "turn " + std::to_string(next_ + 1);
  if (next_ == replies_.size()) {
    return unavailable(turn + " was not recorded: the episode has " +
                       std::to_string(replies_.size()) + " turns");
  }
  const RecordedReply& reply = replies_[next_];
  if (conversation_digest(request.messages) != reply.conversation) {
    return integrity(turn + ": the conversation differs from the one that was recorded");
  }
  ++next_;
  if (request.on_text && !reply.completion.text.empty()) request.on_text(reply.completion.text);
  return reply.completion;
}

Result<std::vector<ContinuationScore>> ReplayModel::score(const ScoreRequest& request,
                                                          std::stop_token stop) {
  (void)request;
  (void)stop;
  return invalid("a replayed model cannot score: scores are not recorded with its replies");
}

}  // namespace trialwright
