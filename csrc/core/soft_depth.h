// csrc/core/soft_depth.h: which of several faces at a pixel is nearer, also beyond their outlines.
#pragma once
#include "soft_face.h"

LRAST_BEGIN

/// Depth keys lie within these bounds, so that float holds them: what is farther is equally far.
constexpr double kLargestKey = 1e30;

/// What depths are compared by, larger is nearer: 1 / w, or -z / w where all w of a view are equal.
LRAST_HD double depth_key(ClipPoint p, bool perspective) {
  return clamped(perspective ? 1.0 / p.w : -p.z / p.w, -kLargestKey, kLargestKey);
}

/// Depth key of a face at any pixel. Of a whole face that of the barycentric coordinates, clipped
/// at 0 and normalised, as PyTorch3D has it: sum(max(b, 0) key) / sum(max(b, 0)). Of a face that
/// is cut that of its plane, within the bounds of its corners.
struct SoftDepth {
  double weight[3], value[3];  // per side: its length up to a factor, and the opposite corner's key
  double x, y, constant;       // plane, screen
  double low, high;
  int32_t whole;
};

LRAST_HD double triple(const double* a, const double* b, const double* c) {
  return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
         a[2] * (b[0] * c[1] - b[1] * c[0]);
}

LRAST_HD SoftDepth make_soft_depth(const SoftFace& face, const ClipPoint* clip,
                                   const PolygonCorner* corners, const SoftModel& model,
                                   bool perspective, double width, double height) {
  SoftDepth depth{};
  depth.whole = corners[0].to < 0 && corners[1].to < 0 && corners[2].to < 0;
  if (depth.whole) {
    double longest = 0.0;
    for (int k = 0; k < 3; ++k) {
      const ScreenPoint p = face.corner[k], q = face.corner[k == 2 ? 0 : k + 1];
      const double x = (q.x - p.x) * model.scale_x, y = (q.y - p.y) * model.scale_y;
      depth.weight[k] = sqrt(x * x + y * y);
      depth.value[k] = depth_key(clip[k == 0 ? 2 : k - 1], perspective);
      longest = larger(longest, depth.weight[k]);
    }
    for (int k = 0; k < 3; ++k) depth.weight[k] = depth.weight[k] / longest;
    return depth;
  }
  // The plane takes these values at the corners' homogeneous screen positions.
  double column[3][3], values[3];
  for (int i = 0; i < 3; ++i) {
    column[0][i] = 0.5 * (clip[i].x + clip[i].w) * width;
    column[1][i] = 0.5 * (clip[i].w - clip[i].y) * height;
    column[2][i] = clip[i].w;
    values[i] = perspective ? 1.0 : -clip[i].z;
  }
  const double inverse = 1.0 / triple(column[0], column[1], column[2]);
  depth.x = triple(values, column[1], column[2]) * inverse;
  depth.y = triple(column[0], values, column[2]) * inverse;
  depth.constant = triple(column[0], column[1], values) * inverse;
  for (int i = 0; i < face.sides; ++i) {
    const PolygonCorner c = corners[i];
    const double key =
        depth_key(c.to < 0 ? clip[c.from] : clip_at_near(clip[c.from], clip[c.to]), perspective);
    depth.low = i == 0 ? key : smaller(depth.low, key);
    depth.high = i == 0 ? key : larger(depth.high, key);
  }
  return depth;
}

/// The same in the frame of a tile, for arithmetic in T.
template <typename T> struct TileDepth {
  T weight[3], value[3];
  T x, y, constant, low, high;
  bool whole, perspective;
};

template <typename T>
LRAST_HD TileDepth<T> depth_in_tile(const SoftDepth& depth, bool perspective, double x, double y) {
  TileDepth<T> out;
  for (int k = 0; k < 3; ++k) {
    out.weight[k] = T(depth.weight[k]);
    out.value[k] = T(depth.value[k]);
  }
  out.x = T(depth.x);
  out.y = T(depth.y);
  out.constant = T(depth.constant + depth.x * x + depth.y * y);
  out.low = T(depth.low);
  out.high = T(depth.high);
  out.whole = depth.whole != 0;
  out.perspective = perspective;
  return out;
}

/// Depth key at pixels x, y from the tile's middle, which are so far across the face's sides. Where
/// the plane of a perspective view passes behind the camera, the corners count that the pixel lies
/// beyond, as in PyTorch3D. Finite for every face: a NaN would count in some comparisons and not in
/// others. larger(bound, key) is the bound where the key is NaN.
template <typename T, typename V>
LRAST_HD V key_at(const TileDepth<T>& depth, const V* across, V x, V y) {
  if (!depth.whole) {
    const V key = (x * V(depth.x) + y * V(depth.y)) + V(depth.constant);
    return smaller(larger(V(depth.low), key), V(depth.high));
  }
  V share[3];
  for (int k = 0; k < 3; ++k) share[k] = across[k] * V(depth.weight[k]);
  if (depth.perspective) {
    const V sum = (share[0] * V(depth.value[0]) + share[1] * V(depth.value[1])) +
                  share[2] * V(depth.value[2]);
    const V turn = with_sign(V(T(1)), sum);
    for (int k = 0; k < 3; ++k) share[k] = share[k] * turn;
  }
  // A pixel on a sliver may be outside of all three sides, by rounding: then all corners count alike.
  for (int k = 0; k < 3; ++k) share[k] = larger(share[k], V(T(1e-30)));
  const V sum = (share[0] * V(depth.value[0]) + share[1] * V(depth.value[1])) +
                share[2] * V(depth.value[2]);
  // Of corners so far away that float does not hold the distance to them, infinity / infinity.
  const V key = sum / ((share[0] + share[1]) + share[2]);
  return smaller(larger(V(T(-kLargestKey)), key), V(T(kLargestKey)));
}

LRAST_END
