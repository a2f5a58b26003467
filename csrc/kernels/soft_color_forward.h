// csrc/kernels/soft_color_forward.h: softly visible colours of a tile (CPU).
#pragma once
#include "soft_color_tile.h"

LRAST_BEGIN

/// Scratch of a thread.
template <typename T> struct ColorForwardSpace {
  TilePixels<T> product;             // of 1 / (1 - p), capped
  TilePixels<T> largest, total;      // of exponents; sum of weights as powers of two above that
  Buffer<T> channels;                // (C + 1, blocks, pixels), the last is the share of faces
  TileFaces<T> faces;
  Buffer<ColorFace<T>> colors;
  Buffer<T> corner_colors;

  T* channel(int c, int block) { return channels.data() + (c * kBlocks + block) * kBlockPixels; }
};

/// Adds what a face weighs at pixels where it counts.
template <typename T>
void blend(const ColorTriangle<T>& triangle, const T* corner_colors, int channels,
           Pack<T> slope, Pack<T> offset, Pack<T> x, Pack<T> y, Pack<T> p, PackMask<T> counts,
           int block, int part, ColorForwardSpace<T>& space) {
  const int first = part * Pack<T>::kLanes;
  const ColorPoint<Pack<T>> point = color_point(triangle, x, y);
  const Pack<T> exponent = point.key * slope + offset;
  T* largest = space.largest.at[block] + first;
  const Pack<T> before = load(largest);
  const Pack<T> now = select(counts, larger(before, exponent), before);
  const Pack<T> weight = select(counts, p * decay<T>(exponent - now), Pack<T>(T(0)));
  if (bits_of(less(before, now))) {
    // A new maximum: what is there already loses weight. Lanes without one multiply by 1.
    const Pack<T> scale = decay<T>(before - now);
    store(now, largest);
    T* total = space.total.at[block] + first;
    store(load(total) * scale, total);
    for (int c = 0; c <= channels; ++c) {
      T* channel = space.channel(c, block) + first;
      store(load(channel) * scale, channel);
    }
  }
  T* total = space.total.at[block] + first;
  store(load(total) + weight, total);
  for (int c = 0; c < channels; ++c) {
    Pack<T> color = point.bary[0] * Pack<T>(corner_colors[triangle.corner[0] * channels + c]);
    for (int i = 1; i < 3; ++i)
      color = color + point.bary[i] * Pack<T>(corner_colors[triangle.corner[i] * channels + c]);
    T* channel = space.channel(c, block) + first;
    store(load(channel) + weight * color, channel);
  }
  T* share = space.channel(channels, block) + first;
  store(load(share) + weight, share);
}

template <bool kLinear, int kSides, typename T>
void blend_face(const Tile<T>& tile, uint64_t reached, const FaceRecord<T>& face,
                const ColorFace<T>& colors, const T* corner_colors, int channels, T slope,
                T offset, ColorForwardSpace<T>& space) {
  const FaceConstants<kSides, T> constants(tile, face);
  for (uint64_t left = reached; left; left &= left - 1) {
      const int block = __builtin_ctzll(left);
      for (int part = 0; part < kParts<T>; ++part) {
        Pack<T> x, y;
        block_pixels(block, part, x, y);
        const FaceChance<Pack<T>> f =
            face_chance<kLinear, kSides, T>(constants, constants.at(x, y));
        T* product = space.product.at[block] + part * Pack<T>::kLanes;
        const Pack<T> before = load(product);
        store(select(f.counts, with_face<T>(before, f.chance.odds), before), product);
        const Pack<T> p = f.chance.odds / f.chance.factor;
        for (int half = 0; half < colors.halves; ++half)
          blend(colors.half[half], corner_colors, channels, Pack<T>(slope), Pack<T>(offset), x, y,
                p, in_half(colors, half, x, y, f.counts), block, part, space);
      }
    }
}

template <typename T>
void write_colors(const SoftColorsArgs<T>& args, const SoftView<T>& view, const Tile<T>& tile,
                  ColorForwardSpace<T>& space) {
  const int channels = args.color_model.num_channels;
  over_block_rows(view, tile, [&](int block, int lane, int64_t place, int count) {
    for (int i = 0; i < count; ++i) {
      const T p = space.product.at[block][lane + i], total = space.total.at[block][lane + i];
      args.coverage[place + i] = (p - T(1)) / p;
      args.uncovered[place + i] = p < Power<T>::kCap ? T(1) / p : T(0);
      args.largest[place + i] = space.largest.at[block][lane + i];
      args.total[place + i] = total;
      T* image = args.image + (place + i) * (channels + 1);
      for (int c = 0; c <= channels; ++c) image[c] = space.channel(c, block)[lane + i] / total;
    }
  });
}

template <bool kLinear, typename T>
void forward_color_tile(const SoftColorsArgs<T>& args, const SoftView<T>& view,
                        const SoftFront& front, int64_t number, ColorForwardSpace<T>& space) {
  const Tile<T> tile = make_tile(view, number);
  const SoftColorModel& model = args.color_model;
  const int channels = model.num_channels;
  list_faces(view, front, number, tile, space.faces);
  list_colors(view, front, args.colors, channels, tile, space.faces, space.colors,
              space.corner_colors);
  space.channels.zero(int64_t(channels + 1) * kTilePixels);
  for (int block = 0; block < kBlocks; ++block)
    for (int i = 0; i < kBlockPixels; ++i) {
      space.product.at[block][i] = T(1);
      space.largest.at[block][i] = T(model.background);
      space.total.at[block][i] = T(1);
    }
  for (int64_t i = 0; i < space.faces.size(); ++i) {
    const FaceRecord<T>& face = space.faces.record(i);
    const auto blend_one =
        face.sides == 3 ? blend_face<kLinear, 3, T> : blend_face<kLinear, 4, T>;
    blend_one(tile, space.faces.blocks[i].near, face, space.colors[i],
              space.corner_colors.data() + i * kMaxSides * channels, channels,
              T(model.slope[front.perspective]), T(model.offset[front.perspective]), space);
  }
  write_colors(args, view, tile, space);
}

LRAST_END
