#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "inference/chat/jinja/text.h"

namespace trialwright::jinja {

class Context;
class Value;
struct MacroNode;
struct Scope;
struct GlobalFunction;

/// A whole number. Wider than 64 bits so that every number of a JSON text that is read as one fits.
__extension__ using Int = __int128;

/// What a missing variable, attribute or item gives: empty when printed, false when tested, an
/// error when used further.
struct Undefined {
  std::shared_ptr<const std::string> reason;  ///< Such as `"x" is undefined`; may be null.
};

struct None {};

struct Sequence {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;  ///< Of nesting, counting this level.
  /// It may be a key of a dict. Known from the beginning: tuples share their parts, so asking each
  /// of them would take for ever in a small template.
  bool is_hashable = false;
};

/// Keys and values in the order in which the keys came first.
struct Dict {
  using Entry = std::pair<Value, Value>;
  std::vector<Entry> entries;
  /// Positions of string keys; filled only for dicts with many of them.
  std::unordered_map<std::string_view, std::size_t> positions;
  int depth = 1;

  /// Null if there is no such key.
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// Charges for the search: keys that are no texts have no index. Null also if that exhausts the
  /// budget.
  [[nodiscard]] const Value* find(Context& context, const Value& key) const;
};

struct Range {
  Int start = 0;
  Int step = 1;
  Int size = 0;
};

/// What Python has as a generator: it gives its items once.
struct Stream {
  std::vector<Value> items;
  bool used = false;
  int depth = 1;
};

/// What dict.items(), .keys() and .values() give.
struct DictView {
  enum class Kind { Items, Keys, Values };
  Kind kind = Kind::Items;
  std::shared_ptr<const Dict> dict;
};

/// The one thing a template can change. Owned by the Context.
struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

/// A macro and the scope it was defined in. Owned by the Context.
struct Macro {
  const MacroNode* node = nullptr;
  Scope* scope = nullptr;
};

/// A method that was looked up and not called yet.
struct Method {
  std::shared_ptr<const Value> self;
  std::string name;
  int depth = 1;
};

/// The variable `loop`.
struct LoopState {
  std::shared_ptr<const Sequence> items;
  std::size_t index = 0;
};

/// A value as a template sees it. Containers never change, so copies share them.
class Value {
 public:
  using Content = std::variant<Undefined, None, bool, Int, double, Text,
                               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, Range,
                               std::shared_ptr<Stream>, DictView, Namespace*, Macro*,
                               const GlobalFunction*, Method, std::shared_ptr<const LoopState>>;

  Value() = default;
  // Not explicit: any alternative is a value.
  Value(Content content, bool from_input = false)
      : content_(std::move(content)), from_input_(from_input) {}

  [[nodiscard]] const Content& content() const { return content_; }
  template <typename T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(content_);
  }
  /// Null if it is something else.
  template <typename T>
  [[nodiscard]] const T* get_if() const {
    return std::get_if<T>(&content_);
  }
  [[nodiscard]] const Text* text() const { return std::get_if<Text>(&content_); }
  [[nodiscard]] const Sequence* sequence() const;
  [[nodiscard]] const Dict* dict() const;

  /// True if what this prints as came from input. Texts carry their own marks instead.
  [[nodiscard]] bool from_input() const { return from_input_; }

  /// True for a text that the filter "safe" made: `+` escapes for HTML what it is added to.
  [[nodiscard]] bool is_markup() const { return is_markup_; }
  [[nodiscard]] Value as_markup(bool is_markup = true) const {
    Value copy = *this;
    copy.is_markup_ = is_markup && text() != nullptr;
    return copy;
  }

 private:
  Content content_;
  bool from_input_ = false;
  bool is_markup_ = false;
};

Value none_value();
Value text_value(std::string bytes, bool from_input = false);
Value undefined_value(std::string reason);

/// Python's name of the type, for messages: "str", "dict", ….
std::string_view type_name(const Value& value);
/// Python's truth of a value.
bool truthy(const Value& value);
/// True and false count as 1 and 0. False if it is no number or a float.
bool as_int(const Value& value, Int* out);
/// Any number. False if it is none.
bool as_double(const Value& value, double* out);

/// Make containers. Errors: nested too deeply, or the rendering's memory is used up.
Result<Value> make_list(Context& context, std::vector<Value> items, bool from_input = false);
Result<Value> make_tuple(Context& context, std::vector<Value> items);
Result<Value> make_stream(Context& context, std::vector<Value> items);
Result<Value> make_method(Context& context, const Value& self, std::string_view name);
/// A key that comes again replaces the value and keeps its place. Errors: as above, or a key that
/// Python could not hash.
Result<Value> make_dict(Context& context, std::vector<Dict::Entry> entries,
                        bool from_input = false);

/// A value out of messages, tools or variables: all of it is marked as input.
Result<Value> value_from_json(Context& context, const Json& json);

}  // namespace trialwright::jinja
