#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace trialwright {

/// Two neighbours, neither of them empty, that become one token; earlier ones in a list come first.
using MergePair = std::pair<std::string, std::string>;

/// The score of each token by which SentencePiece's BPE merges as the list of merges says: the
/// place of the first merge that gives the token, negative. Other tokens get the lowest score.
///
/// tokens      [n] each token's text, as the merges write it
/// mergeable   [n] false for tokens that merging never gives: control, bytes, added ones
///
/// SentencePiece merges any neighbours that together are a token, the best token first; the list
/// names pairs. The two agree where the list has every pair of tokens that together are a token,
/// and the pairs of one token stand together, as in the files that Transformers writes for
/// SentencePiece models (`generate_merges` in tokenization_utils_sentencepiece). Only tokens that
/// repeat one character, such as Gemma's runs of line ends, may stand mixed: of those both ways
/// build the longest from the left. Any other list is an error, since some texts would be cut
/// otherwise.
/// Errors: Invalid, naming a token.
Result<std::vector<float>> scores_of_merges(const std::vector<std::string>& tokens,
                                            const std::vector<bool>& mergeable,
                                            const std::vector<MergePair>& merges);

}  // namespace trialwright
