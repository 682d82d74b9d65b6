#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/message.h"
#include "inference/spec/speculation_stats.h"

namespace trialwright {

/// How the next token is chosen from the model's distribution.
///
/// The filters apply in this order: repetition penalty, temperature, top-k, top-p, min-p.
struct Sampling {
  double temperature = 0;  ///< 0 takes the most probable token, lowest id first on a tie.
  int top_k = 0;           ///< 0 keeps all.
  double top_p = 1;        ///< 1 keeps all.
  double min_p = 0;        ///< Keeps tokens with at least this share of the best one's probability.
  double repetition_penalty =
      1;  ///< 1 is off; divides positive and multiplies negative logits (CTRL).
  int repetition_window = 64;  ///< How many of the latest tokens the penalty looks at.
  std::uint64_t seed = 0;
};

/// The form that a completion's text must have.
struct OutputFormat {
  enum class Kind {
    JsonSchema,  ///< A JSON value that the schema accepts.
    Regex,       ///< A text that the regular expression matches as a whole.
    Gbnf,        ///< A text of the grammar, in llama.cpp's notation.
  };
  Kind kind = Kind::JsonSchema;
  std::string source;  ///< The schema (as JSON), expression or grammar.
};

/// How much an OutputFormat had to do.
struct FormatAudit {
  int tokens = 0;   ///< Chosen under the format, those below among them.
  int forced = 0;   ///< Came without asking the model: nothing else was possible.
  int audited = 0;  ///< Where the whole distribution was computed and looked at.
  int changed = 0;  ///< Of the audited: where the model's own choice was not allowed.
  /// Sum over the audited of the probability that was not allowed.
  double removed_probability = 0;
};

struct CompletionRequest {
  std::vector<Message> messages;
  /// The messages' texts as they stand, a blank line between two, instead of a conversation: for
  /// models that have no chat template. No tools then.
  bool plain = false;
  std::vector<ToolDefinition> tools;
  Sampling sampling;
  /// Tells apart requests that share a seed, for example the turns of a trial. Draws are keyed by
  /// (seed, stream, position), so they do not depend on what runs beside this request.
  std::uint64_t stream = 0;
  int tokens_max = 512;
  std::vector<std::string> stop;  ///< Generation ends before the first of these texts.
  int alternatives = 0;           ///< How many likely tokens to report beside each chosen one.
  std::optional<OutputFormat> format{};
  /// With a format: computes the whole distribution everywhere, which is slower, to see what the
  /// format changed.
  bool audit_format = false;
  /// Requests with the same key, such as the trials of one task, are likely to be answered alike:
  /// the answers to earlier ones are guesses for later ones. Empty shares nothing.
  std::string draft_key{};
  /// Generation ends at this moment with what there is.
  std::optional<std::chrono::steady_clock::time_point> deadline;
  /// The answer must hold a tool call. A model that cannot promise it answers as it does.
  bool must_call_tool = false;
  /// Called with each piece of text outside tool calls, always whole code points. Must be quick: it
  /// may hold up other requests.
  std::function<void(std::string_view)> on_text;
  /// Called with each tool call once it is complete, in order with the text. A provider that tells
  /// only whole answers may not call it.
  std::function<void(const ToolCall&)> on_tool_call{};
};

enum class FinishReason {
  Stop,       ///< The model ended its turn, or a stop text came.
  Length,     ///< `tokens_max` or the context's end was reached.
  Deadline,   ///< `deadline` passed.
  Cancelled,  ///< The stop token was set.
};

std::string_view finish_reason_name(FinishReason reason);

struct TokenLogprob {
  std::int32_t id = 0;
  /// Natural logarithm, of the model's own distribution (temperature 1); under an OutputFormat of
  /// that distribution among the allowed tokens.
  double logprob = 0;
};

/// One generated token.
struct GeneratedToken {
  TokenLogprob chosen;
  std::vector<TokenLogprob> alternatives;  ///< Most probable first.
};

struct Usage {
  int prompt_tokens = 0;
  int cached_tokens = 0;  ///< Those of the prompt whose keys and values were already there.
  int completion_tokens = 0;
};

struct Timings {
  std::chrono::microseconds queued{0};
  std::chrono::microseconds prefill{0};
  std::chrono::microseconds decode{0};
};

/// From one moment to another, as Timings have it.
inline std::chrono::microseconds elapsed(
    std::chrono::steady_clock::time_point from,
    std::chrono::steady_clock::time_point to = std::chrono::steady_clock::now()) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from);
}

struct Completion {
  std::string text;  ///< What the model wrote, without the tool calls that were read from it.
  std::vector<ToolCall> tool_calls;
  /// One sentence for each call that could not be read: for the model to learn from.
  std::vector<std::string> tool_call_errors;
  FinishReason finish = FinishReason::Stop;
  std::vector<GeneratedToken> tokens;  ///< Empty where the provider does not tell.
  Usage usage;
  Timings timings;
  std::optional<FormatAudit> format_audit;  ///< Where a format was asked for.
  std::string served_model;                 ///< What the provider says it served.
};

/// A text and ways it could go on.
struct ScoreRequest {
  std::vector<Message> messages;  ///< The prefix, through the chat template; or, if empty,
  std::string text;               ///< the prefix as it stands (control tokens are read from it).
  bool plain = false;             ///< As in CompletionRequest.
  std::vector<std::string> continuations;  ///< None may be empty.
};

struct ContinuationScore {
  double logprob = 0;  ///< Sum over the continuation's tokens.
  int tokens = 0;
};

/// What a model is, as far as results depend on it.
struct ModelIdentity {
  std::string name;      ///< As the user named it.
  std::string digest;    ///< SHA-256 of the weights; of the endpoint and name where there are none.
  std::string provider;  ///< "embedded", "http", "scripted" or "replay".
  std::string description;     ///< For people: architecture, quantization, kernels.
  int context_tokens_max = 0;  ///< 0 if unknown.
  bool native_tools = false;   ///< The chat template has a format for tool calls.
  bool can_score = true;       ///< `score` is possible; chat endpoints only complete.
  bool can_chat = true;        ///< Base models have no chat template and take plain requests only.
};

class TokenModel;

/// Messages in, completion out.
///
/// Any thread; an implementation that can serve only one request at a time queues them in the order
/// of arrival.
class Model {
 public:
  virtual ~Model() = default;

  [[nodiscard]] virtual const ModelIdentity& identity() const = 0;

  /// Errors: Invalid if the request cannot be served as it stands (prompt longer than the context,
  /// no chat template); Unavailable if the provider failed after its retries. A deadline or a stop
  /// request gives a completion with that finish reason.
  virtual Result<Completion> complete(const CompletionRequest& request, std::stop_token stop) = 0;

  /// Answers, as token ids, that requests with this draft key are likely to be given: guesses that
  /// a model may use to answer faster, never otherwise. Most models have no use for them.
  virtual void expect_answers(std::string_view /*draft_key*/,
                              std::span<const std::vector<std::int32_t>> /*answers*/) {}

  /// What guessing tokens ahead brought, over all requests so far; none where it is not done.
  [[nodiscard]] virtual std::optional<SpeculationStats> speculation() const { return {}; }

  /// One score a continuation, in order. Errors: as `complete`; Invalid where the provider cannot
  /// score.
  virtual Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                                       std::stop_token stop) = 0;

  /// The same model underneath the chat, where its tokens can be seen; otherwise null.
  virtual TokenModel* tokens() { return nullptr; }
};

}  // namespace trialwright
