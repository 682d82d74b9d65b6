#include "inference/cpu/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace trialwright {

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::Scalar:
      return "scalar";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512Vnni:
      return "avx512-vnni";
  }
  return "unknown";
}

namespace {

#if defined(__x86_64__)
/// The compilers' runtimes do not all know this one. It needs no more of the operating system than
/// AVX2 does.
bool has_f16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

}  // namespace

bool isa_available(Isa isa) {
#if defined(__x86_64__)
  // The compiler's runtime reads CPUID and XGETBV, so the operating system's consent is included.
  switch (isa) {
    case Isa::Scalar:
      return true;
    case Isa::Avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
             has_f16c();
    case Isa::Avx512Vnni:
      return isa_available(Isa::Avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  }
  return false;
#else
  return isa == Isa::Scalar;
#endif
}

Isa best_isa() { return available_isas().back(); }

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::Scalar, Isa::Avx2, Isa::Avx512Vnni}) {
    if (isa_available(isa)) {
      isas.push_back(isa);
    }
  }
  return isas;
}

}  // namespace trialwright
