// csrc/kernels/fixed_sum.cuh: sums of many contributions into many targets, the same bits in any
// order (CUDA).
//
// A first pass finds a power of two above all contributions of each target, a second adds them up in
// fixed point to that scale, a third converts. Maxima and integer sums do not depend on the order.
#pragma once
#include <math.h>
#include <string.h>

#include "cuda_block.cuh"

LRAST_BEGIN

/// 2^exponent, for exponents of normal numbers.
LRAST_HD double power_of_two(int exponent) {
  const uint64_t bits = uint64_t(1023 + exponent) << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// Scratch of the three passes; memory() must be zero on entry.
///
/// Where up to 2^t contributions may meet, n of them are off by at most n 2^(t - 62) times the largest
/// one, for double by the square of 2^(t - 62) times n; then the sum is rounded to T. A contribution
/// that is not finite makes its target NaN and concerns no other one.
template <typename T> class FixedSums {
 public:
  FixedSums(Arena& scratch, int64_t num_targets, int64_t most_terms) {
    const int64_t before = scratch.bytes();
    words_ = scratch.take<Count>(kWords * num_targets);
    bounds_ = scratch.take<uint32_t>(num_targets);
    bytes_ = scratch.bytes() - before;
    int term_bits = 0;
    while (term_bits < 62 && int64_t(1) << term_bits < most_terms) ++term_bits;
    fraction_bits_ = 62 - term_bits;
  }
  void* memory() const { return words_; }
  int64_t bytes() const { return bytes_; }

  /// First pass, for every contribution.
  __device__ void bound(int64_t target, double value) const {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= 0x7fffffffffffffff;
    if (bits == 0) return;
    const uint32_t code = uint32_t(bits >> 52) + 1;
    // Most are below the bound already. Bounds only grow, so that an early look does no harm.
    if (relaxed_load(bounds_[target]) < code) atomicMax(&bounds_[target], code);
  }

  /// Second pass, for every contribution again.
  __device__ void add(int64_t target, double value) const {
    const uint32_t code = bounds_[target];
    if (value == 0.0 || code == kNotFinite) return;
    const double scaled = value * power_of_two(fraction_bits_ - exponent(code));
    const double whole = rint(scaled);
    atomicAdd(&words_[kWords * target], Count(int64_t(whole)));
    if (kWords == 1) return;
    const double rest = rint((scaled - whole) * power_of_two(fraction_bits_));
    atomicAdd(&words_[kWords * target + 1], Count(int64_t(rest)));
  }

  /// Third pass.
  __device__ T total(int64_t target) const {
    const uint32_t code = bounds_[target];
    if (code == 0) return T(0);
    if (code == kNotFinite) return T(NAN);
    const double unit = power_of_two(exponent(code) - fraction_bits_);
    double sum = double(int64_t(words_[kWords * target]));
    if (kWords == 2)
      sum += double(int64_t(words_[kWords * target + 1])) * power_of_two(-fraction_bits_);
    return T(sum * unit);
  }

 private:
  static constexpr int kWords = sizeof(T) / 4;  // the second one holds what the first cuts off
  static constexpr uint32_t kNotFinite = 2048;  // exponent field of infinity and NaN, plus one
  // Below, 2^-800, nothing matters, and the scale would not be a normal number.
  static constexpr uint32_t kLowest = 223;

  /// Exponent of a power of two above all contributions; code is their largest exponent field + 1.
  static LRAST_HD int exponent(uint32_t code) { return int(larger(code, kLowest)) - 1023; }

  Count* words_;      // (num_targets, kWords): sums in fixed point, two's complement
  uint32_t* bounds_;  // (num_targets,): 0 = none but zeros
  int64_t bytes_;
  int fraction_bits_;
};

/// Lanes of a warp that hold the same key, and the steps in which their first one gets their sum.
/// For whole warps. The sums depend on which lanes hold what, not on when they arrive.
class WarpPeers {
 public:
  __device__ explicit WarpPeers(Count key) {
    const unsigned peers = __match_any_sync(kWholeWarp, key);
    const unsigned earlier = peers & ((1u << lane_number()) - 1);
    leads_ = earlier == 0;
    // Every step, each second one of those left hands its sum to the one before it.
    unsigned later = peers & ~earlier & ~(1u << lane_number());
    for (int rank = __popc(earlier); __ballot_sync(kWholeWarp, later != 0); rank >>= 1) {
      from_ |= unsigned(__ffs(int(later))) << (kBits * num_steps_++);
      later &= __ballot_sync(kWholeWarp, !(rank & 1));
    }
  }
  __device__ bool leads() const { return leads_; }
  /// The sum over a key's lanes, in the lane that leads them; rubbish in the others.
  __device__ double sum(double value) const {
    for (int step = 0; step < num_steps_; ++step) {
      const unsigned from = from_ >> (kBits * step) & ((1u << kBits) - 1);
      const double other = __shfl_sync(kWholeWarp, value, (from - 1) & 31);
      if (from) value += other;
    }
    return value;
  }

 private:
  static constexpr int kBits = 6;
  unsigned from_ = 0;  // per step: lane to add from, plus one; 0 = none
  int num_steps_ = 0;
  bool leads_;
};

LRAST_END
