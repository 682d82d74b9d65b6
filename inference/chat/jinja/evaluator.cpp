#include "inference/chat/jinja/evaluator.h"

#include <algorithm>

#include "inference/chat/jinja/format.h"

namespace trialwright::jinja {

namespace {

/// Counts how deep the evaluation is, so that it ends before the stack does.
class Deeper {
 public:
  explicit Deeper(Context& context) : context_(context) { ++context_.depth; }
  ~Deeper() { --context_.depth; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

  /// Errors: too deep, or the budget is used up.
  [[nodiscard]] Result<void> check() const {
    if (context_.depth > context_.limits().evaluation_depth) {
      return context_.error("the template calls itself too deeply");
    }
    if (!context_.spend_steps(1) || context_.exhausted()) return context_.error("");
    return {};
  }

 private:
  Context& context_;
};

Value* find_variable(Scope& scope, std::string_view name) {
  const auto found =
      std::ranges::find(scope.variables, name, &decltype(scope.variables)::value_type::first);
  return found == scope.variables.end() ? nullptr : &found->second;
}

}  // namespace

Result<Flow> Evaluator::execute(const Block& block, Scope& scope, TextBuilder& out) {
  const Deeper deeper(context_);
  for (const Statement& statement : block) {
    context_.line = statement.line;
    auto fine = deeper.check();
    if (!fine) return fine.error();
    auto flow = std::visit([&](const auto& node) { return run(node, scope, out); }, statement.node);
    if (!flow) return flow;
    // What cannot fail has gone on with any answer, which nobody may see.
    if (context_.exhausted()) return context_.error("");
    if (*flow != Flow::Normal) return flow;
    if (out.full()) return context_.error("the rendered text grows beyond the limit");
  }
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const DataNode& node, Scope& scope, TextBuilder& out) {
  (void)scope;
  out.append(node.text);
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const OutputNode& node, Scope& scope, TextBuilder& out) {
  auto value = evaluate(*node.value, scope);
  if (!value) return value.error();
  auto done = append_text(context_, out, *value);
  if (!done) return done.error();
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const IfNode& node, Scope& scope, TextBuilder& out) {
  for (const auto& [condition, body] : node.branches) {
    auto value = evaluate(*condition, scope);
    if (!value) return value.error();
    if (truthy(*value)) return execute(body, scope, out);
  }
  return execute(node.otherwise, scope, out);
}

Result<std::vector<Value>> Evaluator::loop_items(const ForNode& node, Scope& scope) {
  auto iterable = evaluate(*node.iterable, scope);
  if (!iterable) return iterable.error();
  auto items = iterate(context_, *iterable);
  if (!items || node.condition == nullptr) return items;
  Scope& inner = *context_.make_scope(&scope);
  std::vector<Value> kept;
  for (const Value& item : *items) {
    auto set = set_loop_variables(node, inner, item);
    if (!set) return set.error();
    auto wanted = evaluate(*node.condition, inner);
    if (!wanted) return wanted.error();
    if (truthy(*wanted)) kept.push_back(item);
  }
  return kept;
}

Result<void> Evaluator::set_loop_variables(const ForNode& node, Scope& scope, const Value& item) {
  return assign(SetTarget{node.targets, node.targets.size() > 1, ""}, scope, item);
}

Result<Flow> Evaluator::run(const ForNode& node, Scope& scope, TextBuilder& out) {
  auto items = loop_items(node, scope);
  if (!items) return items.error();
  if (items->empty()) return execute(node.otherwise, scope, out);
  auto list = make_list(context_, *std::move(items));
  if (!list) return list.error();
  const auto loop = std::make_shared<LoopState>();
  loop->items = *list->get_if<std::shared_ptr<const Sequence>>();
  for (std::size_t i = 0; i < loop->items->items.size(); ++i) {
    loop->index = i;
    // What the body sets lives for one round.
    Scope& round = *context_.make_scope(&scope);
    auto set = set_loop_variables(node, round, loop->items->items[i]);
    if (!set) return set.error();
    set_variable(round, "loop", Value(std::shared_ptr<const LoopState>(loop)));
    auto flow = execute(node.body, round, out);
    if (!flow) return flow;
    if (*flow == Flow::Break) break;
  }
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const SetNode& node, Scope& scope, TextBuilder& out) {
  (void)out;
  auto value = evaluate(*node.value, scope);
  if (!value) return value.error();
  auto done = assign(node.target, scope, *std::move(value));
  if (!done) return done.error();
  return Flow::Normal;
}

Result<Flow> Evaluator::render_block(const Block& body, const ExpressionPtr& filter, Scope& scope,
                                     Value* rendered) {
  TextBuilder inner = context_.text_builder();
  auto flow = execute(body, scope, inner);
  if (!flow || *flow != Flow::Normal) return flow;
  auto text = context_.finish_value(inner);
  if (!text) return text.error();
  if (filter == nullptr) {
    *rendered = *std::move(text);
    return Flow::Normal;
  }
  const Value outer = std::exchange(filtered_, *std::move(text));
  auto value = evaluate(*filter, scope);
  filtered_ = outer;
  if (!value) return value.error();
  *rendered = *std::move(value);
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const SetBlockNode& node, Scope& scope, TextBuilder& out) {
  (void)out;
  Value value;
  auto flow = render_block(node.body, node.filter, *context_.make_scope(&scope), &value);
  if (!flow || *flow != Flow::Normal) return flow;
  auto done = assign(node.target, scope, std::move(value));
  if (!done) return done.error();
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const MacroNode& node, Scope& scope, TextBuilder& out) {
  (void)out;
  Macro* macro = context_.make_macro();
  macro->node = &node;
  macro->scope = &scope;
  set_variable(scope, node.name, Value(macro));
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const FilterBlockNode& node, Scope& scope, TextBuilder& out) {
  Value value;
  auto flow = render_block(node.body, node.filter, *context_.make_scope(&scope), &value);
  if (!flow || *flow != Flow::Normal) return flow;
  auto done = append_text(context_, out, value);
  if (!done) return done.error();
  return Flow::Normal;
}

Result<Flow> Evaluator::run(const GenerationNode& node, Scope& scope, TextBuilder& out) {
  return execute(node.body, *context_.make_scope(&scope), out);
}

Result<Flow> Evaluator::run(const BreakNode& node, Scope& scope, TextBuilder& out) {
  (void)node, (void)scope, (void)out;
  return Flow::Break;
}

Result<Flow> Evaluator::run(const ContinueNode& node, Scope& scope, TextBuilder& out) {
  (void)node, (void)scope, (void)out;
  return Flow::Continue;
}

void Evaluator::set_variable(Scope& scope, const std::string& name, Value value) {
  context_.spend_steps(scope.variables.size() / 16);
  if (Value* found = find_variable(scope, name)) {
    *found = std::move(value);
  } else {
    scope.variables.emplace_back(name, std::move(value));
  }
}

Result<void> Evaluator::assign(const SetTarget& target, Scope& scope, Value value) {
  if (!target.attribute.empty()) {
    auto space = value_of(NameNode{target.names.front()}, scope);
    if (!space) return space.error();
    const auto* object = space->get_if<Namespace*>();
    if (object == nullptr) {
      return context_.error("\"" + target.names.front() +
                            "\" is no namespace, so its attributes cannot be set");
    }
    auto& attributes = (*object)->attributes;
    context_.spend_steps(attributes.size() / 16);
    const auto found = std::ranges::find_if(
        attributes, [&](const auto& each) { return each.first == target.attribute; });
    if (found == attributes.end()) {
      attributes.emplace_back(target.attribute, std::move(value));
    } else {
      found->second = std::move(value);
    }
    return {};
  }
  if (!target.is_tuple) {
    set_variable(scope, target.names.front(), std::move(value));
    return {};
  }
  if (const auto* undefined = value.get_if<Undefined>())
    return undefined_error(context_, *undefined);
  auto items = iterate(context_, value);
  if (!items) return items.error();
  if (items->size() != target.names.size()) {
    return context_.error("expected " + std::to_string(target.names.size()) + " values, not " +
                          std::to_string(items->size()));
  }
  for (std::size_t i = 0; i < items->size(); ++i) {
    set_variable(scope, target.names[i], std::move((*items)[i]));
  }
  return {};
}

Result<Value> Evaluator::evaluate(const Expression& expression, Scope& scope) {
  const Deeper deeper(context_);
  context_.line = expression.line;
  auto fine = deeper.check();
  if (!fine) return fine.error();
  return std::visit([&](const auto& node) { return value_of(node, scope); }, expression.node);
}

Result<Value> Evaluator::evaluate_part(const ExpressionPtr& expression, Scope& scope) {
  if (expression == nullptr) return none_value();
  return evaluate(*expression, scope);
}

Result<Value> Evaluator::value_of(const ConstantNode& node, Scope& scope) {
  (void)scope;
  return node.value;
}

Result<Value> Evaluator::value_of(const NameNode& node, Scope& scope) {
  for (Scope* each = &scope; each != nullptr; each = each->parent) {
    context_.spend_steps(each->variables.size() / 16);
    if (const Value* found = find_variable(*each, node.name)) return *found;
  }
  if (const GlobalFunction* function = find_global(node.name)) return Value(function);
  return undefined_value("\"" + node.name + "\" is undefined");
}

Result<Value> Evaluator::value_of(const SequenceNode& node, Scope& scope) {
  std::vector<Value> items;
  for (const ExpressionPtr& each : node.items) {
    auto item = evaluate(*each, scope);
    if (!item) return item;
    items.push_back(*std::move(item));
  }
  return node.is_tuple ? make_tuple(context_, std::move(items))
                       : make_list(context_, std::move(items));
}

Result<Value> Evaluator::value_of(const DictNode& node, Scope& scope) {
  std::vector<Dict::Entry> entries;
  for (const auto& [key_node, value_node] : node.entries) {
    auto key = evaluate(*key_node, scope);
    if (!key) return key;
    auto value = evaluate(*value_node, scope);
    if (!value) return value;
    entries.emplace_back(*std::move(key), *std::move(value));
  }
  return make_dict(context_, std::move(entries));
}

Result<Value> Evaluator::value_of(const AttributeNode& node, Scope& scope) {
  const int line = context_.line;
  auto object = evaluate(*node.object, scope);
  if (!object) return object;
  context_.line = line;
  return get_attribute(context_, *object, node.name);
}

Result<Value> Evaluator::value_of(const ItemNode& node, Scope& scope) {
  const int line = context_.line;
  auto object = evaluate(*node.object, scope);
  if (!object) return object;
  auto key = evaluate(*node.key, scope);
  if (!key) return key;
  context_.line = line;
  return get_item(context_, *object, *key);
}

Result<Value> Evaluator::value_of(const SliceNode& node, Scope& scope) {
  const int line = context_.line;
  auto object = evaluate(*node.object, scope);
  if (!object) return object;
  auto start = evaluate_part(node.start, scope);
  if (!start) return start;
  auto stop = evaluate_part(node.stop, scope);
  if (!stop) return stop;
  auto step = evaluate_part(node.step, scope);
  if (!step) return step;
  context_.line = line;
  return get_slice(context_, *object, *start, *stop, *step);
}

Result<CallArguments> Evaluator::evaluate_arguments(const ArgumentNodes& nodes, Scope& scope) {
  CallArguments arguments;
  for (const ExpressionPtr& each : nodes.positional) {
    auto value = evaluate(*each, scope);
    if (!value) return value.error();
    arguments.positional.push_back(*std::move(value));
  }
  for (const auto& [name, each] : nodes.named) {
    auto value = evaluate(*each, scope);
    if (!value) return value.error();
    arguments.named.emplace_back(name, *std::move(value));
  }
  return arguments;
}

Result<Value> Evaluator::value_of(const CallNode& node, Scope& scope) {
  const int line = context_.line;
  auto function = evaluate(*node.function, scope);
  if (!function) return function;
  auto arguments = evaluate_arguments(node.arguments, scope);
  if (!arguments) return arguments.error();
  context_.line = line;
  if (const auto* undefined = function->get_if<Undefined>())
    return undefined_error(context_, *undefined);
  if (const auto* method = function->get_if<Method>())
    return call_method(context_, *method, *arguments);
  if (const auto* global = function->get_if<const GlobalFunction*>()) {
    return (*global)->call(context_, *arguments);
  }
  if (const auto* macro = function->get_if<Macro*>()) return call_macro(**macro, *arguments);
  return context_.error("a " + std::string(type_name(*function)) + " cannot be called");
}

Result<Value> Evaluator::call_macro(const Macro& macro, const CallArguments& arguments) {
  const MacroNode& node = *macro.node;
  Scope& scope = *context_.make_scope(macro.scope);
  if (arguments.positional.size() > node.parameters.size()) {
    return context_.error("the macro \"" + node.name + "\" takes at most " +
                          std::to_string(node.parameters.size()) + " arguments");
  }
  for (const auto& given : arguments.named) {
    const bool known = std::ranges::any_of(
        node.parameters, [&](const auto& parameter) { return parameter.first == given.first; });
    if (!known) {
      return context_.error("the macro \"" + node.name + "\" has no argument \"" +
                            std::string(given.first) + "\"");
    }
  }
  for (std::size_t i = 0; i < node.parameters.size(); ++i) {
    const std::string& name = node.parameters[i].first;
    const ExpressionPtr& otherwise = node.parameters[i].second;
    const auto named = std::ranges::find_if(arguments.named,
                                            [&](const auto& given) { return given.first == name; });
    const bool by_position = i < arguments.positional.size();
    if (by_position && named != arguments.named.end()) {
      return context_.error("the macro \"" + node.name + "\" is given \"" + name + "\" twice");
    }
    Value value = undefined_value("the argument \"" + name + "\" was not given");
    if (by_position) {
      value = arguments.positional[i];
    } else if (named != arguments.named.end()) {
      value = named->second;
    } else if (otherwise != nullptr) {
      auto computed = evaluate(*otherwise, scope);
      if (!computed) return computed;
      value = *std::move(computed);
    }
    set_variable(scope, name, std::move(value));
  }
  TextBuilder out = context_.text_builder();
  auto flow = execute(node.body, scope, out);
  if (!flow) return flow.error();
  return context_.finish_value(out);
}

Result<Value> Evaluator::value_of(const FilterNode& node, Scope& scope) {
  const int line = context_.line;
  Result<Value> input = filtered_;
  if (node.input != nullptr) input = evaluate(*node.input, scope);
  if (!input) return input;
  auto arguments = evaluate_arguments(node.arguments, scope);
  if (!arguments) return arguments.error();
  context_.line = line;
  return node.filter(context_, *input, *arguments);
}

Result<Value> Evaluator::value_of(const TestNode& node, Scope& scope) {
  const int line = context_.line;
  auto input = evaluate(*node.input, scope);
  if (!input) return input;
  auto arguments = evaluate_arguments(node.arguments, scope);
  if (!arguments) return arguments.error();
  context_.line = line;
  auto answer = node.test(context_, *input, *arguments);
  if (!answer) return answer.error();
  return Value(*answer);
}

Result<Value> Evaluator::value_of(const UnaryNode& node, Scope& scope) {
  auto operand = evaluate(*node.operand, scope);
  if (!operand) return operand;
  if (node.what == UnaryOperator::Not) return Value(!truthy(*operand));
  if (node.what == UnaryOperator::Negative) return negate(context_, *operand);
  // A plus sign makes a number of True and False and refuses everything else.
  return calculate(context_, Arithmetic::Add, Value(Int{0}), *operand);
}

Result<Value> Evaluator::value_of(const ArithmeticNode& node, Scope& scope) {
  const int line = context_.line;
  auto left = evaluate(*node.left, scope);
  if (!left) return left;
  auto right = evaluate(*node.right, scope);
  if (!right) return right;
  context_.line = line;
  return calculate(context_, node.what, *left, *right);
}

Result<Value> Evaluator::value_of(const ConcatNode& node, Scope& scope) {
  TextBuilder out = context_.text_builder();
  for (const ExpressionPtr& each : node.parts) {
    auto part = evaluate(*each, scope);
    if (!part) return part;
    auto done = append_text(context_, out, *part);
    if (!done) return done.error();
  }
  return context_.finish_value(out);
}

Result<Value> Evaluator::value_of(const LogicNode& node, Scope& scope) {
  auto left = evaluate(*node.left, scope);
  if (!left || truthy(*left) != node.is_and) return left;
  return evaluate(*node.right, scope);
}

Result<bool> Evaluator::holds(Comparator comparator, const Value& left, const Value& right) {
  switch (comparator) {
    case Comparator::Equal:
      return equal(context_, left, right);
    case Comparator::NotEqual:
      return !equal(context_, left, right);
    case Comparator::Less:
      return in_order(context_, Ordering::Less, left, right);
    case Comparator::LessOrEqual:
      return in_order(context_, Ordering::LessOrEqual, left, right);
    case Comparator::Greater:
      return in_order(context_, Ordering::Greater, left, right);
    case Comparator::GreaterOrEqual:
      return in_order(context_, Ordering::GreaterOrEqual, left, right);
    case Comparator::In:
      return contains(context_, right, left);
    case Comparator::NotIn: {
      auto found = contains(context_, right, left);
      if (!found) return found;
      return !*found;
    }
  }
  return false;
}

Result<Value> Evaluator::value_of(const ComparisonNode& node, Scope& scope) {
  const int line = context_.line;
  auto left = evaluate(*node.first, scope);
  if (!left) return left;
  for (const auto& [comparator, other] : node.others) {
    auto right = evaluate(*other, scope);
    if (!right) return right;
    context_.line = line;
    auto answer = holds(comparator, *left, *right);
    if (!answer) return answer.error();
    if (!*answer) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Evaluator::value_of(const ConditionalNode& node, Scope& scope) {
  auto condition = evaluate(*node.condition, scope);
  if (!condition) return condition;
  if (truthy(*condition)) return evaluate(*node.then, scope);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise, scope);
  return undefined_value("an inline \"if\" without \"else\" does not hold");
}

}  // namespace trialwright::jinja
