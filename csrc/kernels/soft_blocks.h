// csrc/kernels/soft_blocks.h: for each block of a tile, the faces that it has to look at (CPU).
//
// A loop over the faces of a block keeps its pixels in registers and seldom ends, which is what a
// processor guesses wrong.
#pragma once
#include "soft_window.h"

LRAST_BEGIN

constexpr int kListed = 512;  // faces listed at once; with lists they fit the second cache
static_assert(kListed % kGroup == 0, "whole groups");

/// A face of a group with its numbers side by side.
template <typename T> struct FaceRecord {
  alignas(64) T number[7][kMaxSides];
  int32_t sides;

  void read(const FaceGroup<T>& group, int at, int sides_) {
    static_assert(sizeof(FaceGroup<T>) == sizeof(number) * kGroup, "the same numbers");
    const auto from = reinterpret_cast<const T(*)[kMaxSides][kGroup]>(&group);
    for (int i = 0; i < 7; ++i)
      for (int k = 0; k < 3; ++k) number[i][k] = from[i][k][at];
    sides = sides_;
    if (sides == 4)
      for (int i = 0; i < 7; ++i) number[i][3] = from[i][3][at];
  }
  T across_x(int k) const { return number[0][k]; }
  T across_y(int k) const { return number[1][k]; }
  T across_0(int k) const { return number[2][k]; }
  T along_x(int k) const { return number[3][k]; }
  T along_y(int k) const { return number[4][k]; }
  T along_0(int k) const { return number[5][k]; }
  T half(int k) const { return number[6][k]; }
};

/// Some faces of a tile, and for each block those that it has to look at, in their order.
template <typename T> struct BlockLists {
  FaceRecord<T> faces[kListed];
  uint16_t list[kBlocks + 1][kListed + 32];  // rows apart so that they share no lines of a cache
  int32_t count[kBlocks + 1];
  bool mixed;  // some have four sides

  void clear() { memset(count, 0, sizeof(count)); }

  void append(uint64_t blocks, int face) {
    // Most faces are in few blocks: these without a branch, what is too much goes to the last list.
    do
      for (int i = 0; i < 4; ++i) {
        const int block = blocks ? __builtin_ctzll(blocks) : kBlocks;
        list[block][count[block]] = uint16_t(face);
        count[block] += blocks != 0;
        blocks &= blocks - 1;
      }
    while (blocks);
  }
};

LRAST_END
