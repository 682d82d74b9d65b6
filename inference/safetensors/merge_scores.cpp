#include "inference/safetensors/merge_scores.h"

#include <unordered_map>

#include "base/text.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

namespace {

/// Up to here a float holds every whole number.
constexpr std::size_t kMergesMax = std::size_t{1} << 24U;

/// All ways to cut a token are tried, which takes time with the square of its length.
constexpr std::size_t kTokenBytesMax = 4096;

using TokenPlaces = std::unordered_map<std::string_view, std::size_t>;

/// How many ways there are to cut the text into two tokens.
std::size_t count_cuts(std::string_view text, const TokenPlaces& places) {
  std::size_t cuts = 0;
  for (std::size_t at = 0; at < text.size();) {
    at += decode_utf8(text.substr(at)).length;
    const bool two =
        at < text.size() && places.contains(text.substr(0, at)) && places.contains(text.substr(at));
    cuts += two ? 1 : 0;
  }
  return cuts;
}

/// Whether the text is one character again and again.
bool is_run(std::string_view text) {
  const std::string_view first = text.substr(0, decode_utf8(text).length);
  for (std::size_t at = first.size(); at < text.size(); at += first.size()) {
    if (text.substr(at, first.size()) != first) return false;
  }
  return true;
}

Error not_sentence_piece(std::string_view token, const std::string& why) {
  return invalid("field \"merges\" does not come from a SentencePiece model: token \"" +
                 shown_text(token) + "\" " + why);
}

}  // namespace

Result<std::vector<float>> scores_of_merges(const std::vector<std::string>& tokens,
                                            const std::vector<bool>& mergeable,
                                            const std::vector<MergePair>& merges) {
  if (merges.size() >= kMergesMax) {
    return invalid("field \"merges\" has " + std::to_string(merges.size()) + " entries");
  }
  TokenPlaces places;
  places.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (mergeable[i]) places.emplace(tokens[i], i);
  }
  std::vector<float> scores(tokens.size(), -static_cast<float>(kMergesMax));
  std::vector<std::size_t> pairs(tokens.size());
  std::size_t before = tokens.size();
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto found = places.find(left + right);
    // Pairs that have to do with added tokens never meet: those are cut out of the text before.
    if (found == places.end() || !places.contains(left) || !places.contains(right)) continue;
    const std::size_t token = found->second;
    if (pairs[token] == 0) {
      scores[token] = -static_cast<float>(rank);
    } else if (token != before && !is_run(tokens[token])) {
      return not_sentence_piece(tokens[token], "has merges in several places");
    }
    ++pairs[token];
    before = token;
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!mergeable[i]) continue;
    if (tokens[i].size() > kTokenBytesMax) {
      return not_sentence_piece(tokens[i],
                                "has more than " + std::to_string(kTokenBytesMax) + " bytes");
    }
    const std::size_t cuts = count_cuts(tokens[i], places);
    if (cuts != pairs[i]) {
      return not_sentence_piece(tokens[i], "has " + std::to_string(pairs[i]) +
                                               " merges, but there are " + std::to_string(cuts) +
                                               " ways to cut it into two tokens");
    }
  }
  return scores;
}

}  // namespace trialwright
