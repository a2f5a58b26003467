// csrc/api/isa.h: which compiled ISA level this process uses.
#pragma once

namespace lrast {

enum class Isa { kPortable, kV2, kV3, kV4, kUnavailable };

/// The best level of this CPU, or what LRAST_ISA in the environment asks for (v2, v3, v4);
/// kUnavailable if it asks for what this CPU or build does not have. Decided once.
Isa isa();

/// Status of every entry point where isa() is kUnavailable; ContourStatus has it as kNoIsa.
constexpr int kNoIsaStatus = 4;

}  // namespace lrast
