#include "inference/server/text_reply.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace trialwright {

namespace {

/// A token as OpenAI writes it: what is not whole code points, byte by byte.
std::string token_text(std::int32_t id, const TokenModel& tokens) {
  const std::string_view bytes = tokens.token_bytes(id);
  if (is_utf8(bytes)) return std::string(bytes);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "bytes:";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "\\x";
    text += kDigits[byte / 16U];
    text += kDigits[byte % 16U];
  }
  return text;
}

/// A text being put together from the bytes of tokens.
class TokenTexts {
 public:
  void add(std::string_view bytes) {
    starts_.push_back(bytes_.size());
    bytes_ += bytes;
  }
  void add_hidden() { starts_.push_back(bytes_.size()); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  /// For each token, the number of code points before the one that it begins in.
  [[nodiscard]] std::vector<std::size_t> offsets() const {
    std::vector<std::size_t> offsets;
    std::size_t at = 0;
    std::size_t points = 0;
    for (const std::size_t start : starts_) {
      while (at < start) {
        const std::size_t length = decode_utf8(std::string_view(bytes_).substr(at)).length;
        if (at + length > start) break;
        at += length;
        ++points;
      }
      offsets.push_back(points);
    }
    return offsets;
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> starts_;
};

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(decode_utf8(text).length);
    ++count;
  }
  return count;
}

/// The likeliest tokens and the chosen one.
Json top_logprobs(const GeneratedToken& token, const TokenModel& tokens) {
  Json top = Json::object();
  for (const TokenLogprob& other : token.alternatives) {
    const std::string text = token_text(other.id, tokens);
    // Tokens may look alike: the likeliest, which comes first, stays.
    if (!top.contains(text)) top[text] = shown_logprob(other.logprob);
  }
  const std::string chosen = token_text(token.chosen.id, tokens);
  if (!top.contains(chosen)) top[chosen] = shown_logprob(token.chosen.logprob);
  return top;
}

std::string prompt_text(const TextRequest& request, std::size_t choice, const Answer& answer,
                        const TokenModel& tokens) {
  const auto choices = static_cast<std::size_t>(request.options.choices);
  const TextPrompt& prompt = request.prompts[choice / choices];
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  std::string bytes;
  for (const std::int32_t id : answer.prompt.ids) bytes += tokens.token_bytes(id);
  return to_valid_utf8(bytes);
}

Json logprobs_to_json(const TextRequest& request, const Answer& answer, std::string_view prompt,
                      std::string_view text, const TokenModel& tokens) {
  if (!request.has_logprobs) return nullptr;
  Json names = Json::array();
  Json logprobs = Json::array();
  Json tops = Json::array();
  TokenTexts texts;
  const auto add = [&](const GeneratedToken& token, bool is_first) {
    names.push_back(token_text(token.chosen.id, tokens));
    logprobs.push_back(is_first ? Json() : Json(shown_logprob(token.chosen.logprob)));
    tops.push_back(is_first ? Json() : top_logprobs(token, tokens));
  };
  std::size_t added_space = 0;
  if (request.echoes) {
    for (std::size_t i = 0; i < answer.prompt_tokens.size(); ++i) {
      const GeneratedToken& token = answer.prompt_tokens[i];
      add(token, i == 0);
      const bool is_hidden = i == 0 && answer.prompt.has_added_bos;
      if (is_hidden) {
        texts.add_hidden();
      } else {
        texts.add(tokens.token_bytes(token.chosen.id));
      }
    }
    // SentencePiece puts a space before the text that is not in it.
    if (texts.bytes().starts_with(' ') && !prompt.starts_with(' ')) added_space = 1;
  }
  for (const GeneratedToken& token : answer.completion.tokens) {
    add(token, false);
    if (tokens.is_shown(token.chosen.id)) {
      texts.add(tokens.token_bytes(token.chosen.id));
    } else {
      texts.add_hidden();
    }
  }
  Json offsets = Json::array();
  const std::size_t size = code_points(text);
  for (const std::size_t offset : texts.offsets()) {
    // A stop text and what comes behind it are not in the text.
    offsets.push_back(std::min(size, offset - std::min(offset, added_space)));
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

std::string_view finish_of(const Completion& completion) {
  return completion.finish == FinishReason::Length ? "length" : "stop";
}

Json stamped(const ReplyStamp& stamp) {
  return {{"id", stamp.id},
          {"object", "text_completion"},
          {"created", stamp.created},
          {"model", stamp.model},
          {"system_fingerprint", stamp.fingerprint}};
}

Json chunk(const ReplyStamp& stamp, const TextRequest& request, Json choice) {
  Json json = stamped(stamp);
  json["choices"] = Json::array({std::move(choice)});
  if (request.options.streams_usage) json["usage"] = nullptr;
  return json;
}

}  // namespace

Usage text_usage(const TextRequest& request, std::span<const Answer> answers) {
  Usage usage;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Usage& part = answers[i].completion.usage;
    usage.completion_tokens += part.completion_tokens;
    if (i % static_cast<std::size_t>(request.options.choices) != 0) continue;
    usage.prompt_tokens += part.prompt_tokens;
    usage.cached_tokens += part.cached_tokens;
  }
  return usage;
}

Json text_reply(const ReplyStamp& stamp, const TextRequest& request,
                std::span<const Answer> answers, const TokenModel& tokens) {
  Json json = stamped(stamp);
  json["choices"] = Json::array();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    const std::string prompt = request.echoes ? prompt_text(request, i, answer, tokens) : "";
    const std::string text = prompt + answer.completion.text;
    json["choices"].push_back(
        {{"text", text},
         {"index", i},
         {"logprobs", logprobs_to_json(request, answer, prompt, text, tokens)},
         {"finish_reason", finish_of(answer.completion)}});
  }
  json["usage"] = usage_to_json(text_usage(request, answers));
  return json;
}

Json text_chunk(const ReplyStamp& stamp, const TextRequest& request, std::size_t choice,
                std::string_view text) {
  return chunk(
      stamp, request,
      {{"text", text}, {"index", choice}, {"logprobs", nullptr}, {"finish_reason", nullptr}});
}

Json text_end_chunk(const ReplyStamp& stamp, const TextRequest& request, std::size_t choice,
                    const Answer& answer, const TokenModel& tokens) {
  return chunk(stamp, request,
               {{"text", ""},
                {"index", choice},
                {"logprobs", logprobs_to_json(request, answer, "", answer.completion.text, tokens)},
                {"finish_reason", finish_of(answer.completion)}});
}

Json text_usage_chunk(const ReplyStamp& stamp, const Usage& usage) {
  Json json = stamped(stamp);
  json["choices"] = Json::array();
  json["usage"] = usage_to_json(usage);
  return json;
}

}  // namespace trialwright
