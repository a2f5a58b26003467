// csrc/kernels/soft_blocks.h: for each block of a tile, the faces that it has to look at (CPU).
//
// A loop over the faces of a block keeps its pixels in registers and seldom ends, which is what a
// processor guesses wrong.
#pragma once
#include "soft_window.h"

LRAST_BEGIN

constexpr int kWord = 64;     // faces whose sets of blocks are turned round together
constexpr int kListed = 512;  // faces listed at once; with lists they fit the second cache
static_assert(kListed % kWord == 0 && kWord == kBlocks, "whole words, in squares");

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

/// Up to so many numbers beyond its own list_bits() writes over.
constexpr int kWrittenOver = 16;

/// Lists the bits of a word that is not 0, counted from `first` on.
LRAST_INLINE void list_bits(uint64_t left, int32_t first, int32_t* out) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int part = 0; part < kWord; part += 16) {
    const __mmask16 some = __mmask16(left >> part);
    const __m512i numbers = _mm512_add_epi32(lanes, _mm512_set1_epi32(first + part));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(some, numbers));
    out += __builtin_popcount(some);
  }
#else
  // Some at a time without asking how many are left.
  do {
    for (int i = 0; i < 8; ++i) {
      out[i] = first + __builtin_ctzll(left | uint64_t(1) << (kWord - 1));
      left &= left - 1;
      // Gathering the numbers in a vector register first takes longer than storing each.
      __asm__ volatile("" ::: "memory");
    }
    out += 8;
  } while (left);
#endif
}

/// Fills a list of faces up, with one that counts nowhere, until they come in such numbers as they are
/// taken in; returns how many these are.
LRAST_INLINE int fill_up(int32_t* list, int count, int32_t nobody) {
  for (int i = 0; i < kTogether - 1; ++i) list[count + i] = nobody;
  return (count + kTogether - 1) / kTogether * kTogether;
}

/// The faces of a tile by the blocks that they may reach.
struct BlockSets {
  Buffer<uint64_t> words;   // (groups of 64 faces, blocks): a bit per face
  Buffer<FaceBlocks> any;   // (groups of 64 faces,): blocks that one of them may reach, or covers

  template <typename T> void fill(const TileFaces<T>& faces) {
    const int64_t total = faces.size(), groups = (total + kWord - 1) / kWord;
    words.resize(kWord * groups);
    any.resize(groups);
    for (int64_t group = 0; group < groups; ++group) {
      uint64_t* const sets = words.data() + kWord * group;
      const FaceBlocks* const from = faces.blocks.data() + kWord * group;
      const int count = int(smaller<int64_t>(kWord, total - kWord * group));
      FaceBlocks found{0, 0};
      for (int i = 0; i < count; ++i) {
        sets[i] = from[i].near;
        found.near |= from[i].near;
        found.deep |= from[i].deep;
      }
      for (int i = count; i < kWord; ++i) sets[i] = 0;
      transpose(sets);
      any[group] = found;
    }
  }
  /// Blocks that more than so many faces may reach.
  uint64_t blocks_above(int most) const {
    int64_t reaching[kBlocks] = {};
    for (int64_t i = 0; i < words.size(); i += kBlocks)
      for (int block = 0; block < kBlocks; ++block)
        reaching[block] += __builtin_popcountll(words[i + block]);
    uint64_t blocks = 0;
    for (int block = 0; block < kBlocks; ++block)
      blocks |= uint64_t(reaching[block] > most) << block;
    return blocks;
  }
  /// Lists all faces that may reach a block.
  void list(int block, Buffer<int32_t>& out) const {
    out.clear();
    for (int64_t i = 0; i < any.size(); ++i) {
      const uint64_t set = words[kWord * i + block];
      if (!set) continue;
      list_bits(set, int32_t(kWord * i), out.reserve(kWord + kWrittenOver));
      out.resize(out.size() + __builtin_popcountll(set));
    }
  }
};

/// For each block of a tile, those of some faces that it has to look at, in their order.
struct BlockLists {
  int32_t list[kBlocks][kListed + kWrittenOver];  // rows apart so that they share no lines of a cache
  int32_t count[kBlocks];
  uint64_t filled;  // blocks with any face

  void clear() {
    memset(count, 0, sizeof(count));
    filled = 0;
  }

  /// Lists for `blocks` the faces of a group of `sets`.
  void append(const BlockSets& sets, int64_t group, uint64_t blocks) {
    const uint64_t* const words = sets.words.data() + kWord * group;
    uint64_t left = sets.any[group].near & blocks;
    filled |= left;
    for (; left; left &= left - 1) {
      const int block = __builtin_ctzll(left);
      list_bits(words[block], int32_t(kWord * group), list[block] + count[block]);
      count[block] += __builtin_popcountll(words[block]);
    }
  }
};

LRAST_END
