// csrc/kernels/rasterize_tile.h: the faces of one tile drawn into its order of visibility (CPU).
#pragma once
#include "rasterize_setup.h"

LRAST_BEGIN

/// A face that has fragments in a tile: what their weights and depth are made of.
struct RasterRecord {
  double x[3], y[3], w[3];  // of the corners, clip
  int32_t face;
};

/// A tile of one view. Its faces are numbered in the order of face numbers, so that these numbers
/// can take their place in visibility(); where only faces are asked for, they keep their own.
template <typename T> struct RasterTile {
  static constexpr int kPitch = kRasterTile + kLanes;  // a row may be written beyond its end
  RasterBox box;
  int num_layers;
  bool flat;              // as RasterizeFront
  int64_t* nearest;        // (kRasterTile, kPitch, num_layers): the largest visibility() first
  RasterRecord* records;  // by number; only those with fragments are filled in

  int64_t place(int column, int row) const {
    return (int64_t(row - box.top) * kPitch + (column - box.left)) * num_layers;
  }
};

/// A face on its way into a tile.
struct TileEntry {
  const TileLists* lists;
  int32_t entry, number;
};

/// Puts a fragment into a pixel's layers; the last one falls out.
inline void insert_fragment(int64_t fragment, int64_t* layers, int num_layers) {
  int i = num_layers;
  for (; i > 0 && fragment > layers[i - 1]; --i)
    if (i < num_layers) layers[i] = layers[i - 1];
  if (i < num_layers) layers[i] = fragment;
}

/// visibility() in lanes. `low` is what the number makes of it, see low_bits(). Keys of a view that is
/// not flat are positive, so that their bits are in order as they are.
inline Longs visibilities(const Doubles& key, bool flat, const Longs& low) {
  Floats rounded = __builtin_convertvector(key, Floats);
  if (!flat) return in_high_half(load_lanes<Ints>(&rounded), low);
  rounded += 0.0f;
  const Ints bits = load_lanes<Ints>(&rounded);
  return in_high_half(bits ^ ((bits >> 31) & 0x7fffffff), low);
}
inline int64_t low_bits(int32_t number) { return int64_t(uint32_t(~number)); }

/// Faces of at most kSmall x kSmall pixels are drawn one pixel of each lane's face at a time.
constexpr int kSmall = 4;

/// Returns the lanes that have put a fragment in front (or, layered, into a pixel).
template <bool kLayered, typename T>
unsigned draw_small_faces(const FaceSetup& setup, unsigned lanes, const Longs& low,
                          const RasterTile<T>& tile) {
  const Doubles left = __builtin_convertvector(setup.left, Doubles);
  const Doubles top = __builtin_convertvector(setup.top, Doubles);
  const Doubles width = __builtin_convertvector(setup.right, Doubles) - left;
  const Doubles height = __builtin_convertvector(setup.bottom, Doubles) - top;
  int64_t place[kLanes], fragment[kLanes];
  for (int lane = 0; lane < kLanes; ++lane)
    place[lane] = tile.place(setup.left[lane], setup.top[lane]);
  const KeyPlaneOf<Doubles>& plane = setup.plane;
  Doubles row_side[3] = {setup.side[0], setup.side[1], setup.side[2]};
  unsigned drawn = 0;
  for (int j = 0;; ++j) {
    const unsigned in_row = lanes & above(height, all_lanes(j));
    if (!in_row) break;
    Doubles side[3] = {row_side[0], row_side[1], row_side[2]};
    for (int i = 0;; ++i) {
      const unsigned in_box = in_row & above(width, all_lanes(i));
      if (!in_box) break;
      const Doubles inside = least(least(side[0], side[1]), side[2]);
      unsigned covered = in_box & above(inside, setup.unsure);
      const unsigned unsure = in_box & at_least(inside, -setup.unsure) & ~covered;
      if (unsure) covered |= decide_lanes(setup, unsure, i, j);
      if (covered) {
        Doubles key;
        key_at(plane, left + (i + 0.5), top + (j + 0.5), key);
        store_lanes(visibilities(key, tile.flat, low), fragment);
        for (unsigned rest = covered; rest; rest &= rest - 1) {
          const int lane = __builtin_ctz(rest);
          int64_t* const at = tile.nearest + place[lane] +
                              (int64_t(j) * RasterTile<T>::kPitch + i) * (kLayered ? tile.num_layers : 1);
          if (kLayered) {
            insert_fragment(fragment[lane], at, tile.num_layers);
            drawn |= 1u << lane;
          } else {
            drawn |= unsigned(fragment[lane] > *at) << lane;
            *at = larger(*at, fragment[lane]);
          }
        }
      }
      for (int k = 0; k < 3; ++k) side[k] -= setup.dy[k];
    }
    for (int k = 0; k < 3; ++k) row_side[k] += setup.dx[k];
  }
  return drawn;
}

/// One face in kLanes columns of its box, on the way from row to row.
struct FaceColumns {
  KeyPlaneOf<Doubles> plane;
  Doubles x, y, side[3], dx[3], unsure;

  FaceColumns(const FaceSetup& setup, int lane) {
    plane = spread_plane(setup.plane, lane);
    for (int k = 0; k < 3; ++k) dx[k] = all_lanes(setup.dx[k][lane]);
    unsure = all_lanes(setup.unsure[lane]);
  }
  void start(const FaceSetup& setup, int lane, int column) {
    const Doubles across = lane_numbers() + double(column - setup.left[lane]);
    x = lane_numbers() + (column + 0.5);
    y = all_lanes(setup.top[lane] + 0.5);
    for (int k = 0; k < 3; ++k)
      side[k] = setup.side[k][lane] - setup.dy[k][lane] * across;
  }
  Doubles inside() const { return least(least(side[0], side[1]), side[2]); }
  void next_row() {
    for (int k = 0; k < 3; ++k) side[k] += dx[k];
    y += 1.0;
  }
};

/// Puts those of `lanes` in front. Returns where that has changed something or, layered, might have.
template <bool kLayered, typename T>
inline unsigned put_fragments(const FaceColumns& face, const Longs& low, unsigned lanes,
                              int64_t* place, const RasterTile<T>& tile) {
  Doubles key;
  key_at(face.plane, face.x, face.y, key);
  const Longs fragments = visibilities(key, tile.flat, low);
  if (!kLayered) return raise(place, fragments, lanes);
  for (int i = 0; i < kLanes; ++i)
    if (lanes >> i & 1) insert_fragment(fragments[i], place + i * tile.num_layers, tile.num_layers);
  return lanes;
}

/// The pixels of kLanes columns that draw_face() has left out because they need an exact decision.
/// Apart from its loop, which a call would rob of its registers.
template <bool kLayered, typename T>
[[gnu::noinline]] unsigned draw_unsure(const FaceSetup& setup, int lane, int column, const Longs& low,
                                       const RasterTile<T>& tile) {
  FaceColumns face(setup, lane);
  face.start(setup, lane, column);
  unsigned drawn = 0;
  for (int row = setup.top[lane]; row < setup.bottom[lane]; ++row, face.next_row()) {
    const Doubles inside = face.inside();
    const unsigned unsure = at_least(inside, -face.unsure) & ~above(inside, face.unsure);
    if (!unsure) continue;
    const unsigned covered = decide_pixels(setup, lane, column, row, unsure);
    drawn |= put_fragments<kLayered>(face, low, covered, tile.nearest + tile.place(column, row), tile);
  }
  return drawn;
}

/// Draws one face, kLanes pixels of a row at a time. Returns as draw_small_faces().
template <bool kLayered, typename T>
bool draw_face(const FaceSetup& setup, int lane, int64_t low, const RasterTile<T>& tile_of_picture) {
  const RasterTile<T> tile = tile_of_picture;  // a copy, which no store below can change
  const int top = setup.top[lane], bottom = setup.bottom[lane], right = setup.right[lane];
  const int64_t pitch = int64_t(RasterTile<T>::kPitch) * (kLayered ? tile.num_layers : 1);
  const Longs low_lanes = Longs{} + low;
  FaceColumns face(setup, lane);
  unsigned drawn = 0;
  for (int column = setup.left[lane]; column < right; column += kLanes) {
    face.start(setup, lane, column);
    int64_t* place = tile.nearest + tile.place(column, top);
    unsigned unsure = 0;
    for (int row = top; row < bottom; ++row, place += pitch, face.next_row()) {
      const Doubles inside = face.inside();
      const unsigned covered = above(inside, face.unsure);
      unsure |= covered ^ at_least(inside, -face.unsure);
      drawn |= put_fragments<kLayered>(face, low_lanes, covered, place, tile);
    }
    if (unsure) drawn |= draw_unsure<kLayered>(setup, lane, column, low_lanes, tile);
  }
  return drawn != 0;
}

/// Draws a face of which rounding has folded one half over the other, pixel by pixel.
template <typename T>
bool draw_folded(const FaceSetup& setup, int lane, const RasterFace& shape, int32_t number,
                 const RasterTile<T>& tile) {
  bool drawn = false;
  for (int row = setup.top[lane]; row < setup.bottom[lane]; ++row)
    for (int column = setup.left[lane]; column < setup.right[lane]; ++column) {
      const ScreenPoint centre{column + 0.5, row + 0.5};
      int which = 0;
      if (!covers(shape, centre, which)) continue;
      double key;
      key_at(shape.triangle[which].plane, centre.x, centre.y, key);
      insert_fragment(visibility(float(key), number), tile.nearest + tile.place(column, row),
                      tile.num_layers);
      drawn = true;
    }
  return drawn;
}

/// The least visible fragment in front in each block of a tile. Faces behind it are not seen.
class Occlusion {
 public:
  template <typename T> explicit Occlusion(const RasterTile<T>& tile) : box_(tile.box) {
    for (int y = 0; y < kRasterTile / kBlock; ++y)
      for (int x = 0; x < kRasterTile / kBlock; ++x) {
        int64_t found = INT64_MAX;
        for (int j = 0; j < kBlock; ++j)
          for (int i = 0; i < kBlock; ++i)
            found = smaller(
                found, tile.nearest[(y * kBlock + j) * RasterTile<T>::kPitch + x * kBlock + i]);
        least_[y][x] = found;
      }
  }
  bool hides(const FaceSetup& setup, int lane, int64_t nearest_of_face) const {
    const int first_x = (setup.left[lane] - box_.left) / kBlock;
    const int last_x = (setup.right[lane] - 1 - box_.left) / kBlock;
    const int last_y = (setup.bottom[lane] - 1 - box_.top) / kBlock;
    const int first_y = (setup.top[lane] - box_.top) / kBlock;
    if (last_x - first_x <= 1 && last_y - first_y <= 1)  // no loop to mispredict
      return nearest_of_face <= smaller(smaller(least_[first_y][first_x], least_[first_y][last_x]),
                                        smaller(least_[last_y][first_x], least_[last_y][last_x]));
    for (int y = first_y; y <= last_y; ++y)
      for (int x = first_x; x <= last_x; ++x)
        if (nearest_of_face > least_[y][x]) return false;
    return true;
  }

 private:
  static constexpr int kBlock = 8;
  RasterBox box_;
  int64_t least_[kRasterTile / kBlock][kRasterTile / kBlock];
};

/// Draws faces into one tile.
template <bool kLayered, typename T> class TileDrawing {
 public:
  TileDrawing(const RasterizeArgs<T>& args, const RasterizeFront& front, const T* verts,
              const RasterTile<T>& tile, Buffer<TileEntry>& later)
      : args_(args), front_(front), verts_(verts), tile_(tile), later_(later) {
    for (int row = 0; row < kRasterTile; ++row)
      for (int64_t i = 0; i < int64_t(RasterTile<T>::kPitch) * tile.num_layers; ++i) {
        // Where there is no picture, nothing comes in front.
        const bool exists = row < tile.box.bottom - tile.box.top &&
                            i < int64_t(tile.box.right - tile.box.left) * tile.num_layers;
        tile.nearest[int64_t(row) * RasterTile<T>::kPitch * tile.num_layers + i] =
            exists ? kNoFragment : INT64_MAX;
      }
    later_.clear();
  }

  /// Up to kLanes faces. Those seen from the back wait where others may hide them.
  void draw(const TileEntry* entries, int count) {
    FaceSetup setup;
    unsigned live = set_up(entries, count, setup);
    if (!kLayered && args_.cull == kCullNone) {
      for (unsigned back = live & ~setup.front; back; back &= back - 1)
        later_.push(entries[__builtin_ctz(back)]);
      live &= setup.front;
    }
    draw_lanes(setup, live, entries, count);
  }

  void draw_later() {
    constexpr int64_t kWorthLooking = 64;
    if (later_.size() < kWorthLooking) {
      for (int64_t i = 0; i < later_.size(); i += kLanes) {
        FaceSetup setup;
        const unsigned live = set_up(&later_[i], lanes_at(i), setup);
        draw_lanes(setup, live, &later_[i], lanes_at(i));
      }
      return;
    }
    const Occlusion occlusion(tile_);
    for (int64_t i = 0; i < later_.size(); i += kLanes) {
      FaceSetup setup;
      unsigned live = set_up(&later_[i], lanes_at(i), setup);
      int64_t nearest[kLanes];
      const Longs low = low_lanes(&later_[i], lanes_at(i));
      store_lanes(visibilities(setup.plane.most, tile_.flat, low), nearest);
      for (unsigned rest = live; rest; rest &= rest - 1) {
        const int lane = __builtin_ctz(rest);
        if (occlusion.hides(setup, lane, nearest[lane])) live &= ~(1u << lane);
      }
      draw_lanes(setup, live, &later_[i], lanes_at(i));
    }
  }

 private:
  int lanes_at(int64_t i) const { return int(smaller<int64_t>(later_.size() - i, kLanes)); }

  /// Of `count` entries; the last one fills lanes up.
  static Longs low_lanes(const TileEntry* entries, int count) {
    int64_t low[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
      low[lane] = low_bits(entries[smaller(lane, count - 1)].number);
    return load_lanes<Longs>(low);
  }

  const int32_t* verts_of(int32_t face) const { return args_.faces + 3 * int64_t(face); }

  unsigned set_up(const TileEntry* entries, int count, FaceSetup& setup) const {
    const RasterPoint* corners[kLanes][3];
    for (int lane = 0; lane < kLanes; ++lane) {
      const TileEntry& entry = entries[smaller(lane, count - 1)];
      if (entry.entry >= 0) {
        const int32_t* vert = verts_of(entry.entry);
        for (int i = 0; i < 3; ++i) corners[lane][i] = &front_.point(vert[i]);
      } else {
        const CutTriangle& cut = entry.lists->cut[~entry.entry];
        for (int i = 0; i < 3; ++i) corners[lane][i] = &cut.corner[i];
      }
    }
    const unsigned lanes = count >= kLanes ? kAllLanes : (1u << count) - 1;
    return set_up_faces(corners, lanes, args_.cull, tile_.box, setup);
  }

  void draw_lanes(const FaceSetup& setup, unsigned lanes, const TileEntry* entries, int count) {
    const Ints width = setup.right - setup.left, height = setup.bottom - setup.top;
    unsigned small = lanes & lane_bits((width <= kSmall) & (height <= kSmall)), folded = 0;
    for (unsigned rest = lanes; rest; rest &= rest - 1) {
      const int lane = __builtin_ctz(rest);
      const TileEntry& entry = entries[lane];
      if (entry.entry < 0 && entry.lists->cut[~entry.entry].folded >= 0) folded |= 1u << lane;
    }
    small &= ~folded;
    unsigned drawn = 0;
    if (small) drawn = draw_small_faces<kLayered>(setup, small, low_lanes(entries, count), tile_);
    for (unsigned rest = lanes & ~small; rest; rest &= rest - 1) {
      const int lane = __builtin_ctz(rest);
      const TileEntry& entry = entries[lane];
      const bool seen =
          folded >> lane & 1
              ? draw_folded(setup, lane,
                            entry.lists->folded[entry.lists->cut[~entry.entry].folded],
                            entry.number, tile_)
              : draw_face<kLayered>(setup, lane, low_bits(entry.number), tile_);
      drawn |= unsigned(seen) << lane;
    }
    if (!args_.bary) return;
    for (; drawn; drawn &= drawn - 1) record(entries[__builtin_ctz(drawn)]);
  }

  void record(const TileEntry& entry) {
    RasterRecord& out = tile_.records[entry.number];
    out.face = entry.entry >= 0 ? entry.entry : entry.lists->cut[~entry.entry].face;
    const int32_t* vert = verts_of(out.face);
    for (int i = 0; i < 3; ++i) {
      const T* from = verts_ + 4 * int64_t(vert[i]);
      out.x[i] = from[0];
      out.y[i] = from[1];
      out.w[i] = from[3];
    }
  }

  const RasterizeArgs<T>& args_;
  const RasterizeFront& front_;
  const T* verts_;
  const RasterTile<T>& tile_;
  Buffer<TileEntry>& later_;
};

/// Draws all faces that the front has sent to the tile number `number`.
template <bool kLayered, typename T>
void draw_tile(const RasterizeArgs<T>& args, const RasterizeFront& front, const T* verts,
               int64_t number, const RasterTile<T>& tile, Buffer<TileEntry>& later) {
  TileDrawing<kLayered, T> drawing(args, front, verts, tile, later);
  TileEntry group[kLanes];
  int size = 0;
  int32_t next = 0;
  for (int chunk = 0; chunk < front.num_lists; ++chunk) {
    const TileLists& lists = *front.lists[chunk];
    lists.for_each_block(number, [&](const int32_t* entries, int count) {
      for (int i = 0; i < count; ++i) {
        const int32_t entry = entries[i];
        const int32_t number = args.bary ? next++ : entry >= 0 ? entry : lists.cut[~entry].face;
        group[size++] = {&lists, entry, number};
        if (size == kLanes) {
          drawing.draw(group, size);
          size = 0;
        }
      }
    });
  }
  if (size > 0) drawing.draw(group, size);
  drawing.draw_later();
}

LRAST_END
