// A TOML document is read or refused, however deep its keys are.

#include <cstdint>
#include <string_view>

#include "base/toml_table.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto table = TomlTable::parse({reinterpret_cast<const char*>(data), size});
  if (!table) return 0;
  for (const std::string& key : table->keys()) {
    static_cast<void>(to_text(table->json(key)));
    static_cast<void>(table->table(key).keys());
  }
  static_cast<void>(table->unread_keys());
  static_cast<void>(table->check());
  return 0;
}
