#include "inference/llm/generate_job.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace trialwright {

GenerateJob::GenerateJob(const GenerateRequest& request, int tokens_max,
                         const std::string& model_name, int vocabulary, DraftDepth& depth,
                         std::stop_token stop)
    : request_(request),
      tokens_max_(tokens_max),
      model_name_(model_name),
      vocabulary_(vocabulary),
      depth_(depth),
      stop_(std::move(stop)),
      sampler_(request.sampling, request.stream),
      context_(request.ids),
      made_(Clock::now()) {
  if (request.constraint != nullptr) {
    generation_.format_audit.emplace();
  }
}

int GenerateJob::positions_max() const { return prompt_size() + tokens_max_; }

void GenerateJob::begin() {
  begun_ = Clock::now();
  generation_.queued = elapsed(made_, begun_);
  generation_.cached_tokens = sequence->size();
}

bool GenerateJob::goes_on() {
  if (stop_.stop_requested()) {
    generation_.finish = FinishReason::Cancelled;
    return false;
  }
  if (request_.deadline && Clock::now() >= *request_.deadline) {
    generation_.finish = FinishReason::Deadline;
    return false;
  }
  return true;
}

int GenerateJob::pending() const { return static_cast<int>(context_.size()) - sequence->size(); }

bool GenerateJob::full() const {
  return static_cast<int>(generation_.tokens.size()) >= tokens_max_;
}

bool GenerateJob::ended() const {
  return request_.constraint != nullptr && request_.constraint->ended();
}

bool GenerateJob::reading() const { return generation_.tokens.empty() && pending() > 1; }

Job::Step GenerateJob::next(const Room& room) {
  const auto wanted = std::span(context_).subspan(static_cast<std::size_t>(sequence->size()));
  guesses_ = 0;
  logit_rows_ = 0;
  if (static_cast<int>(wanted.size()) > room.rows) {
    return {wanted.first(static_cast<std::size_t>(room.rows)), 0};
  }
  logit_rows_ = 1;
  if (request_.drafter != nullptr && !generation_.tokens.empty()) {
    guess(std::min({room.rows - static_cast<int>(wanted.size()), room.logit_rows - 1,
                    tokens_max_ - static_cast<int>(generation_.tokens.size()) - 1}),
          room.rows_beside);
  }
  if (guesses_ == 0) {
    return {wanted, logit_rows_, few_allowed()};
  }
  logit_rows_ += guesses_;
  step_ids_.assign(wanted.begin(), wanted.end());
  step_ids_.insert(step_ids_.end(), draft_.ids.begin(), draft_.ids.begin() + guesses_);
  return {step_ids_, logit_rows_};
}

/// The tokens that may come next where they are so few that computing their logits alone pays;
/// empty otherwise. Log-probabilities are those among the allowed tokens, so nothing else is
/// missed.
std::span<const std::uint64_t> GenerateJob::few_allowed() {
  if (request_.constraint == nullptr || request_.audit || full() ||
      request_.constraint->allowed_count() > vocabulary_ / kNarrowShare) {
    return {};
  }
  return request_.constraint->allowed();
}

void GenerateJob::guess(int guesses_max, int rows_beside) {
  guesses_max = std::min(guesses_max, depth_.tokens_max());
  if (guesses_max < 1) {
    return;
  }
  request_.drafter->expect_rows_beside(rows_beside);
  request_.drafter->draft(context_, guesses_max, draft_);
  guesses_ = std::min(guesses_max, depth_.choose(draft_.confidence, rows_beside));
  // A record of another model may hold ids that this one does not have.
  const auto known = [this](std::int32_t id) { return id >= 0 && id < vocabulary_; };
  const auto end = std::find_if_not(draft_.ids.begin(), draft_.ids.begin() + guesses_, known);
  guesses_ = static_cast<int>(end - draft_.ids.begin());
}

void GenerateJob::choose(std::span<const float> logits) {
  if (logit_rows_ == 0) {
    return;
  }
  if (generation_.tokens.empty()) {
    read_ = Clock::now();
  }
  const auto vocabulary = logits.size() / static_cast<std::size_t>(logit_rows_);
  const std::size_t before = context_.size();
  int came_true = 0;
  while (!full() && !ended()) {
    const auto row = static_cast<std::size_t>(came_true);
    if (!choose_one(logits.subspan(row * vocabulary, vocabulary))) {
      return;
    }
    follow_forced();
    // How far the guesses go with what was chosen.
    const auto chosen = std::span(context_).subspan(before);
    const auto guessed = std::span(draft_.ids).first(static_cast<std::size_t>(guesses_));
    const auto [end, ignored] =
        std::mismatch(guessed.begin(), guessed.end(), chosen.begin(), chosen.end());
    came_true = static_cast<int>(end - guessed.begin());
    if (static_cast<std::size_t>(came_true) < chosen.size()) {
      break;
    }
  }
  generation_.speculation.step(guesses_, came_true);
  sequence->truncate(static_cast<int>(before) + came_true);
}

bool GenerateJob::choose_one(std::span<const float> logits) {
  const Allowed allowed =
      request_.constraint == nullptr ? Allowed{} : Allowed{request_.constraint->allowed()};
  const Choice choice = sampler_.choose(logits, allowed, context_, request_.alternatives);
  if (!std::isfinite(choice.normalizer)) {
    error = integrity("the output of " + model_name_ + " is not a number: its weights are damaged");
    return false;
  }
  if (request_.constraint != nullptr) {
    ++generation_.format_audit->tokens;
    if (request_.audit) {
      audit(logits, allowed, choice);
    }
    request_.constraint->accept(choice.token.chosen.id);
  }
  take(choice.token);
  return true;
}

void GenerateJob::audit(std::span<const float> logits, const Allowed& allowed,
                        const Choice& choice) {
  FormatAudit& seen = *generation_.format_audit;
  const Choice free = sampler_.choose(logits, {}, context_, 0);
  ++seen.audited;
  seen.changed += allowed.holds(free.token.chosen.id) ? 0 : 1;
  seen.removed_probability += 1 - std::exp(choice.normalizer - free.normalizer);
}

void GenerateJob::take(const GeneratedToken& token) {
  context_.push_back(token.chosen.id);
  generation_.tokens.push_back(token);
  if (generation_.format_audit) {
    audits_.push_back(*generation_.format_audit);
  }
}

void GenerateJob::follow_forced() {
  if (request_.constraint == nullptr || ended()) {
    return;
  }
  const auto forced = request_.constraint->forced();
  const std::vector<std::int32_t> ids(forced.begin(), forced.end());
  for (const std::int32_t id : ids) {
    if (full()) {
      return;
    }
    request_.constraint->accept(id);
    ++generation_.format_audit->tokens;
    ++generation_.format_audit->forced;
    // Nothing else was possible, so its probability was 1.
    take({.chosen = {id, 0.0}, .alternatives = {}});
  }
}

bool GenerateJob::deliver() {
  if (logit_rows_ == 0) {
    return true;
  }
  while (delivered_ < generation_.tokens.size()) {
    const GeneratedToken& token = generation_.tokens[delivered_];
    ++delivered_;
    if (request_.on_token && !request_.on_token(token)) {
      generation_.finish = FinishReason::Stop;
      generation_.tokens.resize(delivered_);
      if (!audits_.empty()) {
        generation_.format_audit = audits_[delivered_ - 1];
      }
      return false;
    }
  }
  if (ended()) {
    generation_.finish = FinishReason::Stop;
    return false;
  }
  return !full();
}

Generation GenerateJob::result() {
  const auto now = Clock::now();
  if (begun_ == Clock::time_point{}) {
    generation_.queued = elapsed(made_, now);
  } else if (read_ == Clock::time_point{}) {
    generation_.prefill = elapsed(begun_, now);
  } else {
    generation_.prefill = elapsed(begun_, read_);
    generation_.decode = elapsed(read_, now);
  }
  return std::move(generation_);
}

}  // namespace trialwright
