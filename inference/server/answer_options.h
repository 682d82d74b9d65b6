#pragma once

#include <string>

#include "inference/model.h"
#include "inference/server/field_reader.h"

namespace trialwright {

/// What both ways to ask have in common: how an answer is made and how it is delivered.
struct AnswerOptions {
  std::string model;
  int choices = 1;  ///< Answers to each prompt: "n". They differ in the stream of their draws.
  bool streams = false;
  bool streams_usage = false;  ///< The last event tells the usage.
};

/// Bounds on what one request may ask for.
inline constexpr int kChoicesMax = 16;
inline constexpr int kAlternativesMax = 20;

/// Reads the fields that both have in common, sampling, stop texts, formats and deliveries, into
/// `options` and `request`.
void read_common_fields(FieldReader& fields, AnswerOptions& options, CompletionRequest& request,
                        Refusal& refusal);

}  // namespace trialwright
