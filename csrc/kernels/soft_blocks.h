// csrc/kernels/soft_blocks.h: for each block of a tile, the faces that it has to look at (CPU).
//
// A loop over the faces of a block keeps its pixels in registers and seldom ends, which is what a
// processor guesses wrong.
#pragma once
#include "soft_window.h"

LRAST_BEGIN

constexpr int kWord = 64;     // faces whose sets of blocks are turned round together
constexpr int kListed = 512;  // faces listed at once; with lists they fit the second cache
static_assert(kListed % kWord == 0, "whole words");

/// From 64 words to those of which bit j of word i was bit i of word j.
inline void transpose(uint64_t* words) {
  const auto swap = [&](int i, int j, int distance, uint64_t mask) {
    const uint64_t changed = (words[i] >> distance ^ words[j]) & mask;
    words[i] ^= changed << distance;
    words[j] ^= changed;
  };
  const auto step = [&](int distance, uint64_t mask) {
    for (int begin = 0; begin < kWord; begin += 2 * distance)
      for (int i = begin; i < begin + distance; ++i) swap(i, i + distance, distance, mask);
  };
  step(32, 0x00000000ffffffffu);
  step(16, 0x0000ffff0000ffffu);
  step(8, 0x00ff00ff00ff00ffu);
  step(4, 0x0f0f0f0f0f0f0f0fu);
  step(2, 0x3333333333333333u);
  step(1, 0x5555555555555555u);
}

/// For each block of a tile, those of some faces that it has to look at, in their order.
struct BlockLists {
  static constexpr int kAtOnce = 8;
  uint16_t list[kBlocks][kListed + 32];  // rows apart so that they share no lines of a cache
  int32_t count[kBlocks];
  uint64_t filled;  // blocks with any face

  void clear() {
    memset(count, 0, sizeof(count));
    filled = 0;
  }

  /// Lists up to 64 faces from number `first` on, given their sets of blocks; these are lost.
  void append(uint64_t* sets, int faces, int first) {
    uint64_t any = 0;
    for (int i = 0; i < faces; ++i) any |= sets[i];
    for (int i = faces; i < kWord; ++i) sets[i] = 0;
    transpose(sets);
    filled |= any;
    for (; any; any &= any - 1) {
      const int block = __builtin_ctzll(any);
      uint16_t* out = list[block] + count[block];
      uint64_t left = sets[block];
      count[block] += __builtin_popcountll(left);
      // Some at a time without asking how many are left: what is too much is written over.
      do {
        for (int i = 0; i < kAtOnce; ++i) {
          out[i] = uint16_t(first + __builtin_ctzll(left | uint64_t(1) << (kWord - 1)));
          left &= left - 1;
          // Gathering the numbers in a vector register first takes longer than storing each.
          __asm__ volatile("" ::: "memory");
        }
        out += kAtOnce;
      } while (left);
    }
  }
};

LRAST_END
