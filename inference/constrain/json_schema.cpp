#include "inference/constrain/schema_compiler.h"

namespace trialwright {

Result<std::shared_ptr<const Grammar>> compile_json_schema(const Json& schema) {
  AutomatonBuilder builder;
  JsonText text(builder);
  auto root = SchemaCompiler(text, schema).compile();
  if (!root) return root.error();
  auto grammar = builder.build(*root);
  if (!grammar) return grammar.error().during("the schema");
  return grammar;
}

}  // namespace trialwright
