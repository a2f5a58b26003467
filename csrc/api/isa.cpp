// csrc/api/isa.cpp
#include "isa.h"

#include <cstdlib>
#include <cstring>

#include "lrast.h"

namespace lrast {
namespace {

#if LRAST_X86_LEVELS
Isa best() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) return Isa::kV4;
  return v3 ? Isa::kV3 : Isa::kV2;
}
#else
Isa best() { return Isa::kPortable; }
#endif

const char* const kNames[] = {"portable", "v2", "v3", "v4", "unavailable"};

Isa choose() {
  const Isa available = best();
  const char* wanted = std::getenv("LRAST_ISA");
  if (!wanted || !*wanted) return available;
  const Isa lowest = available == Isa::kPortable ? Isa::kPortable : Isa::kV2;
  for (int i = int(lowest); i <= int(available); ++i)
    if (std::strcmp(wanted, kNames[i]) == 0) return Isa(i);
  return Isa::kUnavailable;
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

}  // namespace lrast

const char* lrast_isa() { return lrast::kNames[int(lrast::isa())]; }
int lrast_abi() { return kLrastAbi; }
