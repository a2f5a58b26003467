// csrc/kernels/soft_tile.h: the faces of a tile and its pixels, in blocks of 4 x 4 (CPU).
#pragma once
#include <math.h>

#include "pack.h"
#include "soft_front.h"

LRAST_BEGIN

constexpr int kBlock = 4, kBlockPixels = kBlock * kBlock;
constexpr int kGroup = 16;  // faces that are placed together
constexpr int kBlocksX = kTile / kBlock, kBlocks = kBlocksX * kBlocksX;
static_assert(kBlocks == 64, "sets of blocks are words");

/// Packs that make up a block.
template <typename T> constexpr int kParts = kBlockPixels / Pack<T>::kLanes;

/// Offsets of sixteen places from their middle, so many in a row.
template <typename T> struct LaneOffsets { alignas(64) T x[kBlockPixels], y[kBlockPixels]; };
template <typename T> constexpr LaneOffsets<T> lane_offsets(T pitch, int columns) {
  LaneOffsets<T> lanes{};
  for (int i = 0; i < kBlockPixels; ++i) {
    lanes.x[i] = (T(i % columns) - T(0.5) * T(columns - 1)) * pitch;
    lanes.y[i] = (T(i / columns) - T(0.5) * T(kBlockPixels / columns - 1)) * pitch;
  }
  return lanes;
}
/// The pixels of a block; the blocks of two rows of a tile.
template <typename T> constexpr LaneOffsets<T> kPixelLanes = lane_offsets<T>(T(1), kBlock);
template <typename T> constexpr LaneOffsets<T> kRowLanes = lane_offsets<T>(T(kBlock), kBlocksX);

/// A face of a tile in the frames of its sides: a pixel x, y away from the tile's middle is
/// across_0 + across_x x + across_y y from a side's line, and so on along its stretch.
template <typename T> struct FaceRecord {
  T number[7][kMaxSides];  // of the fourth side of a triangle rubbish
  int32_t face, sides;

  T across_x(int k) const { return number[0][k]; }
  T across_y(int k) const { return number[1][k]; }
  T across_0(int k) const { return number[2][k]; }
  T along_x(int k) const { return number[3][k]; }
  T along_y(int k) const { return number[4][k]; }
  T along_0(int k) const { return number[5][k]; }
  T half(int k) const { return number[6][k]; }
};

/// A tile of the picture, and limits that depend on the model.
template <typename T> struct Tile {
  int32_t x, y, width, height;        // pixels; the last two within the picture
  double middle_u, middle_v, radius;  // metric
  T reach;                            // faces count where z > -reach
  T fade;
  T near2, deep;                      // blocks whose middle is so far outside (squared) or inside
                                      // are out of reach, or covered in all digits
};

template <typename T> Tile<T> make_tile(const SoftView<T>& view, int64_t number) {
  const SoftModel& model = view.model;
  Tile<T> tile;
  tile.x = int32_t(number % view.tiles_x()) * kTile;
  tile.y = int32_t(number / view.tiles_x()) * kTile;
  tile.width = smaller(kTile, view.width - tile.x);
  tile.height = smaller(kTile, view.height - tile.y);
  tile.middle_u = (tile.x + 0.5 * kTile) * model.scale_x;
  tile.middle_v = (tile.y + 0.5 * kTile) * model.scale_y;
  const double pixel = sqrt(model.scale_x * model.scale_x + model.scale_y * model.scale_y);
  tile.radius = 0.51 * kTile * pixel;
  tile.reach = T(model.reach);
  tile.fade = T(model.fade);
  const double block = 0.5001 * (kBlock - 1) * pixel;  // a pixel's middle is nearer than that
  const double largest = Power<T>::kLargest;
  const double near = soft_reach(model) + block;
  tile.near2 = T(near * near);
  tile.deep = T((model.linear ? largest : sqrt(largest)) + block);
  return tile;
}

/// Blocks of a tile that a face may reach, and those of them that it covers in all digits.
struct FaceBlocks { uint64_t near, deep; };

/// The faces of a tile, in the order of their numbers.
template <typename T> struct TileFaces {
  Buffer<FaceBlocks> blocks;
  bool mixed;  // some have four sides

  int64_t size() const { return blocks.size(); }
  FaceRecord<T>& record(int64_t i) { return at(i); }
  const FaceRecord<T>& record(int64_t i) const { return const_cast<TileFaces*>(this)->at(i); }
  /// Makes room for whole groups.
  void resize(int64_t count) {
    blocks.resize(count);
    bytes_.resize((count + kGroup) * kStride + kLine);
  }
  /// Number of a record after the last, which counts nowhere, once add_nobody() has written it.
  int32_t nobody() const { return int32_t(size()); }
  void add_nobody() {
    FaceRecord<T>& none = at(nobody());
    memset(&none, 0, sizeof(none));
    for (T& across_0 : none.number[2]) across_0 = T(-INFINITY);
    none.sides = 3;
  }

  static constexpr int kLine = 64;  // of a cache
  /// Bytes from one record to the next.
  static constexpr int64_t kStride = (int64_t(sizeof(FaceRecord<T>)) + kLine - 1) / kLine * kLine;

 private:
  FaceRecord<T>& at(int64_t i) {
    const uintptr_t first = (uintptr_t(bytes_.data()) + kLine - 1) & ~uintptr_t(kLine - 1);
    return *reinterpret_cast<FaceRecord<T>*>(first + uintptr_t(kStride * i));
  }
  Buffer<unsigned char> bytes_;
};

/// Corners of up to sixteen faces, by coordinate.
struct GroupCorners {
  alignas(64) double x[kMaxSides][kGroup], y[kMaxSides][kGroup], turn[kGroup];
  int of_face[kGroup];
  int sides;  // the most of any

  void read(const SoftFront& front, const int32_t* numbers, int64_t count) {
    // The last face fills a group up.
    const SoftFace* faces[kGroup];
    for (int i = 0; i < kGroup; ++i) faces[i] = &front.faces[numbers[smaller<int64_t>(i, count - 1)]];
    sides = 3;
    for (int i = 0; i < kGroup; ++i) {
      turn[i] = faces[i]->turn;
      of_face[i] = faces[i]->sides;
      sides = larger(sides, of_face[i]);
    }
    for (int i = 0; i < kGroup; i += Doubles::kLanes) read_corners(faces + i, i);
  }
  /// Side k of the faces `first` and on.
  SoftSide<Doubles> side(int k, int first, const SoftModel& model, double u, double v) const {
    const int next = k + 1 == sides ? 0 : k + 1;
    return make_soft_side(load(x[k] + first), load(y[k] + first), load(x[next] + first),
                          load(y[next] + first), load(turn + first), model, u, v);
  }

 private:
  /// Of a pack of faces, the first being number `first` of the group.
  void read_corners(const SoftFace* const* faces, int first) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    static_assert(kMaxSides == 4, "the corners of a face fill a register");
    __m512d face[8];
    for (int i = 0; i < 8; ++i) face[i] = _mm512_loadu_pd(faces[i]->corner);
    const auto transpose = [&](const __m512d* pair, double (*out)[kGroup]) {
      // Each quarter is a corner of two faces.
      const auto shuffled = [](__m512d a, __m512d b, auto how) {
        return _mm512_maskz_shuffle_f64x2(kAll8, a, b, decltype(how)::kHow);
      };
      const __m512d low[2] = {shuffled(pair[0], pair[1], How<0x44>()),
                              shuffled(pair[2], pair[3], How<0x44>())};
      const __m512d high[2] = {shuffled(pair[0], pair[1], How<0xee>()),
                               shuffled(pair[2], pair[3], How<0xee>())};
      store(Doubles(shuffled(low[0], low[1], How<0x88>())), out[0] + first);
      store(Doubles(shuffled(low[0], low[1], How<0xdd>())), out[1] + first);
      store(Doubles(shuffled(high[0], high[1], How<0x88>())), out[2] + first);
      store(Doubles(shuffled(high[0], high[1], How<0xdd>())), out[3] + first);
    };
    __m512d xs[4], ys[4];
    for (int i = 0; i < 4; ++i) {
      xs[i] = _mm512_maskz_unpacklo_pd(kAll8, face[2 * i], face[2 * i + 1]);
      ys[i] = _mm512_maskz_unpackhi_pd(kAll8, face[2 * i], face[2 * i + 1]);
    }
    transpose(xs, x);
    transpose(ys, y);
#else
    for (int i = 0; i < Doubles::kLanes; ++i)
      for (int k = 0; k < kMaxSides; ++k) {
        x[k][first + i] = faces[i]->corner[k].x;
        y[k][first + i] = faces[i]->corner[k].y;
      }
#endif
  }
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  template <int kHow_> struct How { static constexpr int kHow = kHow_; };
#endif
};

inline void store_rounded(Doubles from, double* to) { store(from, to); }
inline void store_rounded(Doubles from, float* to) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  _mm256_storeu_ps(to, _mm512_maskz_cvtpd_ps(kAll8, from.v));
#else
  alignas(64) double numbers[Doubles::kLanes];
  store(from, numbers);
  for (int i = 0; i < Doubles::kLanes; ++i) to[i] = float(numbers[i]);
#endif
}

/// The numbers of sixteen records, face by face.
template <typename T> struct FaceGroup { alignas(64) T number[7][kMaxSides][kGroup]; };

template <typename T>
void place_group(const GroupCorners& corners, const SoftModel& model, const Tile<T>& tile,
                 FaceGroup<T>& group) {
  const Doubles scale_x(model.scale_x), scale_y(model.scale_y), none(0.0);
  for (int first = 0; first < kGroup; first += Doubles::kLanes)
    for (int k = 0; k < corners.sides; ++k) {
      const SoftSide<Doubles> side = corners.side(k, first, model, tile.middle_u, tile.middle_v);
      const SideStretch<Doubles> stretch = stretch_in_tile(side, tile.radius);
      const Doubles turn = load(corners.turn + first);
      const auto put = [&](int i, Doubles number) {
        store_rounded(number, group.number[i][k] + first);
      };
      put(0, none - turn * side.tangent_v * scale_x);
      put(1, turn * side.tangent_u * scale_y);
      put(2, side.across);
      put(3, side.tangent_u * scale_x);
      put(4, side.tangent_v * scale_y);
      put(5, none - stretch.middle);
      put(6, stretch.half);
    }
}

/// Copies the numbers of a group to records, `stride` bytes from each to the next.
template <typename T>
void write_records(const FaceGroup<T>& group, int count, int64_t stride, FaceRecord<T>* records) {
  char* const out = reinterpret_cast<char*>(records);
  for (int face = 0; face < count; ++face) {
    T* const numbers = reinterpret_cast<FaceRecord<T>*>(out + stride * face)->number[0];
    for (int i = 0; i < 7; ++i)
      for (int k = 0; k < kMaxSides; ++k) numbers[kMaxSides * i + k] = group.number[i][k][face];
  }
}
#if defined(__AVX512F__) && defined(__AVX512DQ__)
inline void write_records(const FaceGroup<float>& group, int, int64_t stride,
                          FaceRecord<float>* records) {
  char* const out = reinterpret_cast<char*>(records);
  for (int i = 0; i < 7; ++i) {
    const auto row = [&](int k) { return load(group.number[i][k]).v; };
    const auto put = [&](int face, __m128 numbers) {
      _mm_storeu_ps(reinterpret_cast<FaceRecord<float>*>(out + stride * face)->number[i], numbers);
    };
    // Each quarter is a face, four faces apart.
    const auto put_four = [&](int face, __m512 a, __m512 b, bool high) {
      const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
      const __m512 four = _mm512_castpd_ps(high ? _mm512_maskz_unpackhi_pd(kAll8, c, d)
                                                : _mm512_maskz_unpacklo_pd(kAll8, c, d));
      put(face, _mm512_maskz_extractf32x4_ps(0xf, four, 0));
      put(face + 4, _mm512_maskz_extractf32x4_ps(0xf, four, 1));
      put(face + 8, _mm512_maskz_extractf32x4_ps(0xf, four, 2));
      put(face + 12, _mm512_maskz_extractf32x4_ps(0xf, four, 3));
    };
    const __m512 low[2] = {_mm512_maskz_unpacklo_ps(kAll16, row(0), row(1)),
                           _mm512_maskz_unpacklo_ps(kAll16, row(2), row(3))};
    const __m512 high[2] = {_mm512_maskz_unpackhi_ps(kAll16, row(0), row(1)),
                            _mm512_maskz_unpackhi_ps(kAll16, row(2), row(3))};
    put_four(0, low[0], low[1], false);
    put_four(1, low[0], low[1], true);
    put_four(2, high[0], high[1], false);
    put_four(3, high[0], high[1], true);
  }
}
#endif

/// A number per pixel of a tile, block by block; edges of the picture are padded.
template <typename T> struct TilePixels {
  alignas(64) T at[kBlocks][kBlockPixels];
};

/// Calls body(block, lane, place, count) for each row of a block that the picture has pixels of:
/// from the lane on there are `count` pixels, the first at `place` in the picture.
template <typename T, typename Body>
void over_block_rows(const SoftView<T>& view, const Tile<T>& tile, Body&& body) {
  const int64_t origin = (view.index * view.height + tile.y) * view.width + tile.x;
  for (int y = 0; y < tile.height; ++y)
    for (int x = 0; x < tile.width; x += kBlock)
      body(kBlocksX * (y / kBlock) + x / kBlock, kBlock * (y % kBlock),
           origin + int64_t(view.width) * y + x, smaller(kBlock, tile.width - x));
}

LRAST_END
