#include "inference/models/embedded_model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/files.h"
#include "inference/chat/chat_template.h"
#include "inference/chat/tool_call_format.h"
#include "inference/models/fair_queue.h"
#include "inference/models/guesses.h"
#include "inference/models/model_digest.h"
#include "inference/models/output_grammars.h"
#include "inference/models/text_stream.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";
/// The date that templates see, 2024-07-26, which Llama 3's template itself falls back to: the
/// same conversation must render the same on any day.
constexpr std::int64_t kTemplateTime = 1721952000;

/// The type that most weights are stored in.
std::string main_type(const GgufFile& file) {
  std::map<std::string, std::size_t> bytes;
  for (const GgufTensor& tensor : file.tensors()) {
    bytes[tensor_type_name(tensor.type)] += tensor.data.size();
  }
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "no weights" : most->first;
}

/// What to call a model that was named by its path only.
std::string name_of(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) {
    return path.stem().string();
  }
  // "." and a '/' at the end are no names, and the dots of a folder's name begin no extension.
  return std::filesystem::canonical(path, failed).filename().string();
}

Completion unserved(FairQueue::Outcome outcome, Steady::time_point start) {
  Completion completion;
  completion.finish =
      outcome == FairQueue::Outcome::Deadline ? FinishReason::Deadline : FinishReason::Cancelled;
  completion.timings.queued = elapsed(start);
  return completion;
}

Result<void> check_request(const CompletionRequest& request) {
  const bool empty_stop = std::any_of(request.stop.begin(), request.stop.end(),
                                      [](const std::string& stop) { return stop.empty(); });
  if (empty_stop) {
    return invalid("a stop text must not be empty");
  }
  if (request.tokens_max < 0 || request.alternatives < 0) {
    return invalid("tokens_max and alternatives must not be negative");
  }
  return {};
}

/// Texts are continued as they stand, so no tool is called in them.
CompletionRequest without_tools(const CompletionRequest& request) {
  CompletionRequest plain = request;
  plain.tools.clear();
  return plain;
}

}  // namespace

struct EmbeddedModel::State {
  State(Tokenizer tokenizer_given, Engine engine_given, std::unique_ptr<Engine> small,
        const EmbeddedModelOptions& options)
      : tokenizer(std::move(tokenizer_given)),
        engine(std::move(engine_given)),
        queue(options.requests_max) {
    if (options.guess) {
      guesses.emplace(engine.draft_depth(), std::move(small));
    }
  }

  ModelIdentity identity;
  Tokenizer tokenizer;
  Engine engine;
  std::optional<ChatTemplate> chat_template;
  Error no_template;
  ToolCallFormat tool_call_format = ToolCallFormat::None;
  FairQueue queue;
  std::optional<Guesses> guesses;
  OutputGrammars grammars{tokenizer};
  std::filesystem::path cache_file;
  std::mutex saving;
  Steady::time_point saved = Steady::now();

  void read_template(const GgufFile& file);
  Result<std::vector<TokenId>> render(const std::vector<Message>& messages,
                                      const std::vector<ToolDefinition>& tools) const;
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const;
  [[nodiscard]] bool is_shown(TokenId id) const;
  /// The messages' texts, in which no control token is read: they come from outside.
  [[nodiscard]] std::vector<TokenId> encode_plain(const std::vector<Message>& messages) const;
  /// Goes on from the file, if it is there, and writes it from now on. Errors: as
  /// Engine::restore_cache.
  Result<void> use_cache_file(const std::filesystem::path& path);
  /// What cannot be saved costs time later, nothing else, so it is no error.
  void save_cache();
  void save_cache_if_due();
  /// Null where anything may be answered.
  Result<std::unique_ptr<TokenConstraint>> constraint_of(const CompletionRequest& request);
  Result<Completion> run(std::vector<TokenId> prompt, const CompletionRequest& request,
                         const std::stop_token& stop);
  Result<Completion> run_with_calls(std::vector<TokenId> prompt, const CompletionRequest& request,
                                    const std::stop_token& stop);
};

EmbeddedModel::EmbeddedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
EmbeddedModel::~EmbeddedModel() { state_->save_cache(); }

const ModelIdentity& EmbeddedModel::identity() const { return state_->identity; }
const Tokenizer& EmbeddedModel::tokenizer() const { return state_->tokenizer; }
Engine& EmbeddedModel::engine() { return state_->engine; }

void EmbeddedModel::expect_answers(std::string_view draft_key,
                                   std::span<const std::vector<std::int32_t>> answers) {
  if (state_->guesses) {
    state_->guesses->expect(draft_key, answers);
  }
}

std::optional<SpeculationStats> EmbeddedModel::speculation() const {
  if (!state_->guesses) {
    return std::nullopt;
  }
  return state_->guesses->total();
}

Result<std::unique_ptr<EmbeddedModel>> EmbeddedModel::load(const std::filesystem::path& path,
                                                           const EmbeddedModelOptions& options) {
  if (options.requests_max < 1) {
    return invalid("at least one request must be computed at a time");
  }
  auto file = open_model_files(path);
  if (!file) {
    return file.error();
  }
  auto tokenizer = Tokenizer::load(*file);
  if (!tokenizer) {
    return tokenizer.error();
  }
  // The engine takes the file over, so this is for what it says beside the weights.
  const GgufFile metadata = *file;
  auto engine = Engine::load(std::move(*file), options.engine);
  if (!engine) {
    return engine.error();
  }
  if (tokenizer->size() > engine->vocabulary()) {
    return invalid(path.string() + " names " + std::to_string(tokenizer->size()) +
                   " tokens, but has weights for " + std::to_string(engine->vocabulary()));
  }
  // Only now: it reads the whole file, which a model that cannot run is not worth.
  auto digest =
      digest_model_files(path, options.digest_folder.empty() ? user_cache_folder() / "digests"
                                                             : options.digest_folder);
  if (!digest) {
    return digest.error();
  }
  auto small = load_draft_engine(options.draft_model, options.engine, *tokenizer);
  if (!small) {
    return small.error();
  }
  auto state = std::make_unique<State>(std::move(*tokenizer), std::move(*engine), std::move(*small),
                                       options);
  const ModelConfig& config = state->engine.config();
  state->identity = {.name = options.name.empty() ? name_of(path) : options.name,
                     .digest = digest->hex(),
                     .provider = "embedded",
                     .description = config.architecture + ", " + std::to_string(config.layers) +
                                    " layers, " + main_type(metadata) + ", " +
                                    state->engine.device_text(),
                     .context_tokens_max = state->engine.context_tokens_max()};
  if (auto restored = state->use_cache_file(options.cache_file); !restored) {
    return restored.error();
  }
  state->read_template(metadata);
  state->identity.native_tools = state->tool_call_format != ToolCallFormat::None;
  return std::unique_ptr<EmbeddedModel>(new EmbeddedModel(std::move(state)));
}

/// A template that cannot be read spoils conversations, not texts, so it is no error yet.
void EmbeddedModel::State::read_template(const GgufFile& file) {
  if (!file.has(kTemplateKey)) {
    no_template = invalid(file.name() +
                          ": has no chat template; such a base model goes on with a text "
                          "(generate --raw) and answers questions, but cannot chat");
    identity.can_chat = false;
    return;
  }
  auto source = file.text(kTemplateKey);
  if (!source) {
    no_template = source.error();
    return;
  }
  auto parsed = ChatTemplate::parse(*source);
  if (!parsed) {
    no_template = parsed.error().during(file.name() + ": chat template");
    return;
  }
  chat_template = std::move(*parsed);
  tool_call_format = tool_call_format_of(*source);
}

Result<std::vector<TokenId>> EmbeddedModel::State::render(
    const std::vector<Message>& messages, const std::vector<ToolDefinition>& tools) const {
  if (!chat_template) {
    return no_template;
  }
  ChatTemplateInput input;
  for (const Message& message : messages) {
    input.messages.push_back(message_to_json(message));
  }
  if (!tools.empty()) {
    input.tools = Json::array();
    for (const ToolDefinition& tool : tools) {
      input.tools.push_back(tool_to_json(tool));
    }
  }
  input.bos_token = tokenizer.bos() >= 0 ? tokenizer.bytes(tokenizer.bos()) : "";
  input.eos_token = tokenizer.eos() >= 0 ? tokenizer.bytes(tokenizer.eos()) : "";
  input.now = kTemplateTime;
  auto rendered = chat_template->render(input);
  if (!rendered) {
    return rendered.error().during("rendering the conversation");
  }
  std::vector<TextPiece> pieces;
  for (RenderedPiece& piece : *rendered) {
    pieces.push_back({std::move(piece.text), !piece.from_input});
  }
  auto ids = tokenizer.encode(pieces);
  // Most templates write the BOS themselves.
  if (tokenizer.adds_bos() && (ids.empty() || ids.front() != tokenizer.bos())) {
    ids.insert(ids.begin(), tokenizer.bos());
  }
  return ids;
}

std::vector<TokenId> EmbeddedModel::State::encode(std::string_view text) const {
  auto ids = tokenizer.encode(text, true);
  if (tokenizer.adds_bos()) {
    ids.insert(ids.begin(), tokenizer.bos());
  }
  return ids;
}

bool EmbeddedModel::State::is_shown(TokenId id) const {
  return !tokenizer.ends_turn(id) &&
         (!tokenizer.is_control(id) || belongs_to_calls(tool_call_format, tokenizer.bytes(id)));
}

std::vector<TokenId> EmbeddedModel::State::encode_plain(
    const std::vector<Message>& messages) const {
  std::string text;
  for (const Message& message : messages) {
    text += (text.empty() ? "" : "\n\n") + message.content;
  }
  auto ids = tokenizer.encode(text, false);
  if (tokenizer.adds_bos()) {
    ids.insert(ids.begin(), tokenizer.bos());
  }
  return ids;
}

Result<void> EmbeddedModel::State::use_cache_file(const std::filesystem::path& path) {
  cache_file = path;
  if (path.empty() || !path_exists(path)) {
    return {};
  }
  return engine.restore_cache(path, identity.digest);
}

void EmbeddedModel::State::save_cache() {
  if (!cache_file.empty()) {
    (void)engine.save_cache(cache_file, identity.digest);
  }
}

void EmbeddedModel::State::save_cache_if_due() {
  constexpr std::chrono::minutes kEvery{5};
  const std::unique_lock lock(saving, std::try_to_lock);
  if (lock && !cache_file.empty() && Steady::now() - saved >= kEvery) {
    save_cache();
    saved = Steady::now();
  }
}

Result<std::unique_ptr<TokenConstraint>> EmbeddedModel::State::constraint_of(
    const CompletionRequest& request) {
  if (request.format) {
    return grammars.of_format(*request.format);
  }
  if (request.tools.empty() || request.plain || !identity.native_tools) {
    return std::unique_ptr<TokenConstraint>();
  }
  using Mode = ToolCallChoice::Mode;
  auto calls = grammars.of_calls(tool_call_format, request.tools,
                                 {.mode = request.must_call_tool ? Mode::Required : Mode::Auto});
  if (!calls && !request.must_call_tool) {
    // A tool whose schema is no grammar can be called all the same, only without a promise.
    return std::unique_ptr<TokenConstraint>();
  }
  return calls;
}

Result<Completion> EmbeddedModel::State::run(std::vector<TokenId> prompt,
                                             const CompletionRequest& request,
                                             const std::stop_token& stop) {
  const auto constraint = constraint_of(request);
  if (!constraint) {
    return constraint.error();
  }
  const auto start = Steady::now();
  const auto outcome = queue.enter(request.deadline, stop);
  if (outcome != FairQueue::Outcome::Entered) {
    return unserved(outcome, start);
  }
  const FairTurn turn(queue);
  const auto queued = elapsed(start);

  TextStream stream(request.stop, request.on_text);
  const int prompt_tokens = static_cast<int>(prompt.size());
  const auto on_token = [&](const GeneratedToken& token) {
    const TokenId id = token.chosen.id;
    if (tokenizer.ends_turn(id)) {
      return false;
    }
    return !is_shown(id) || !stream.add(tokenizer.bytes(id));
  };
  const auto drafter =
      guesses ? guesses->drafter_for(request.draft_key, prompt.size()) : std::unique_ptr<Drafter>();
  auto generation = engine.generate({.ids = prompt,
                                     .sampling = request.sampling,
                                     .stream = request.stream,
                                     .tokens_max = request.tokens_max,
                                     .alternatives = request.alternatives,
                                     .deadline = request.deadline,
                                     .on_token = on_token,
                                     .constraint = constraint->get(),
                                     .audit = request.audit_format,
                                     .drafter = drafter.get()},
                                    stop);
  if (!generation) {
    return generation.error();
  }
  stream.finish();
  if (guesses) {
    guesses->learn(request.draft_key, prompt, generation->tokens, generation->speculation);
  }
  Completion completion;
  completion.text = stream.text();
  completion.finish = generation->finish;
  completion.tokens = std::move(generation->tokens);
  completion.usage = {.prompt_tokens = prompt_tokens,
                      .cached_tokens = generation->cached_tokens,
                      .completion_tokens = static_cast<int>(completion.tokens.size())};
  completion.timings = {.queued = queued + generation->queued,
                        .prefill = generation->prefill,
                        .decode = generation->decode};
  save_cache_if_due();
  completion.format_audit = generation->format_audit;
  completion.served_model = identity.name;
  return completion;
}

/// The same with the tool calls taken out of the text while it comes.
Result<Completion> EmbeddedModel::State::run_with_calls(std::vector<TokenId> prompt,
                                                        const CompletionRequest& request,
                                                        const std::stop_token& stop) {
  ToolCallStream calls(tool_call_format, next_call_number(request.messages),
                       {.on_text = request.on_text, .on_call = request.on_tool_call});
  CompletionRequest raw = request;
  raw.on_text = [&calls](std::string_view text) { calls.add(text); };
  auto completion = run(std::move(prompt), raw, stop);
  if (!completion) {
    return completion;
  }
  calls.finish();
  const ParsedToolCalls& parsed = calls.parsed();
  completion->text = parsed.text;
  completion->tool_calls = parsed.calls;
  completion->tool_call_errors = parsed.errors;
  return completion;
}

Result<Completion> EmbeddedModel::complete(const CompletionRequest& request, std::stop_token stop) {
  if (auto checked = check_request(request); !checked) {
    return checked.error();
  }
  auto prompt = request.plain ? Result(state_->encode_plain(request.messages))
                              : state_->render(request.messages, request.tools);
  if (!prompt) {
    return prompt.error();
  }
  const bool may_call = !request.tools.empty() && state_->identity.native_tools;
  const bool is_framed = !request.plain && frames_every_message(state_->tool_call_format);
  return may_call || is_framed ? state_->run_with_calls(std::move(*prompt), request, stop)
                               : state_->run(std::move(*prompt), request, stop);
}

Result<Completion> EmbeddedModel::continue_text(std::string_view text,
                                                const CompletionRequest& request,
                                                std::stop_token stop) {
  if (auto checked = check_request(request); !checked) {
    return checked.error();
  }
  return state_->run(state_->encode(text), without_tools(request), stop);
}

EncodedText EmbeddedModel::encode_text(std::string_view text) const {
  return {state_->encode(text), state_->tokenizer.adds_bos()};
}

std::string_view EmbeddedModel::token_bytes(std::int32_t id) const {
  return state_->tokenizer.bytes(id);
}

std::int32_t EmbeddedModel::bos_id() const { return state_->tokenizer.bos(); }
std::int32_t EmbeddedModel::eos_id() const { return state_->tokenizer.eos(); }
bool EmbeddedModel::is_shown(std::int32_t id) const { return state_->is_shown(id); }

Result<Completion> EmbeddedModel::continue_ids(std::span<const std::int32_t> prompt,
                                               const CompletionRequest& request,
                                               std::stop_token stop) {
  if (auto checked = check_request(request); !checked) {
    return checked.error();
  }
  return state_->run({prompt.begin(), prompt.end()}, without_tools(request), stop);
}

Result<std::vector<GeneratedToken>> EmbeddedModel::prompt_logprobs(
    std::span<const std::int32_t> ids, int alternatives, std::stop_token stop) {
  if (state_->queue.enter(std::nullopt, stop) != FairQueue::Outcome::Entered) {
    return cancelled("reading the prompt's log-probabilities was stopped");
  }
  const FairTurn turn(state_->queue);
  return state_->engine.prompt_logprobs(ids, alternatives, stop);
}

Result<std::vector<ContinuationScore>> EmbeddedModel::score(const ScoreRequest& request,
                                                            std::stop_token stop) {
  auto prefix = request.messages.empty() ? Result(state_->encode(request.text))
                : request.plain          ? Result(state_->encode_plain(request.messages))
                                         : state_->render(request.messages, {});
  if (!prefix) {
    return prefix.error();
  }
  // Each continuation is read on its own, so that all of them share the prefix's very tokens.
  std::vector<std::vector<TokenId>> continuations;
  for (const std::string& continuation : request.continuations) {
    if (continuation.empty()) {
      return invalid("a continuation to score must not be empty");
    }
    // As a piece of a conversation: not even user-defined tokens are read from it.
    continuations.push_back(
        request.plain ? state_->tokenizer.encode(continuation, false)
                      : state_->tokenizer.encode(std::vector<TextPiece>{{continuation, false}}));
  }
  if (state_->queue.enter(std::nullopt, stop) != FairQueue::Outcome::Entered) {
    return cancelled("scoring was stopped");
  }
  const FairTurn turn(state_->queue);
  auto sums = state_->engine.score(*prefix, continuations, stop);
  if (!sums) {
    return sums.error();
  }
  std::vector<ContinuationScore> scores;
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    scores.push_back({(*sums)[i], static_cast<int>(continuations[i].size())});
  }
  return scores;
}

}  // namespace trialwright
