#include "inference/constrain/string_format.h"

#include <array>
#include <utility>

namespace trialwright {

namespace {

// Days that the month has; 29 February in years that 4 divides and 100 does not.
#define DATE                                                         \
  R"((?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|)"       \
  R"((?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))|)" \
  R"(\d\d(?:0[48]|[2468][048]|[13579][26])-02-29))"
#define TIME R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))"
#define OCTET R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))"
#define LABEL R"([A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)"
#define HEX4 R"([0-9a-f]{1,4})"

/// Source: RFC 3339 (date, time), ISO 8601 as of RFC 3339 appendix A (duration), RFC 4122 (uuid),
/// RFC 1123 (hostname), RFC 5321 without quoted local parts (email), RFC 4291 without the short
/// form (ipv6), RFC 3986 with an authority (uri).
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kFormats = {{
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "T" TIME},
    {"duration",
     R"(P(?:\d{1,4}W|\d{1,4}D(?:T\d{1,4}H)?|T(?:\d{1,4}H(?:\d{1,4}M)?|\d{1,4}M|\d{1,4}S)))"},
    {"uuid", R"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"},
    {"email", R"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:)" LABEL R"(\.)+[A-Za-z]{2,12})"},
    {"hostname", LABEL R"((?:\.)" LABEL R"()*)"},
    {"ipv4", OCTET R"((?:\.)" OCTET R"(){3})"},
    {"ipv6", HEX4 "(?::" HEX4 "){7}"},
    {"uri",
     R"((?:https?|ftp)://(?:)" LABEL R"(\.)*)" LABEL
     R"((?::[0-9]{1,4})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?)"},
}};

#undef DATE
#undef TIME
#undef OCTET
#undef LABEL
#undef HEX4

}  // namespace

std::optional<std::string> format_pattern(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return std::string(pattern);
  }
  return std::nullopt;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const auto& [name, pattern] : kFormats) names.emplace_back(name);
  return names;
}

}  // namespace trialwright
