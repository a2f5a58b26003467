// csrc/core/vec3.h: points and vectors in space, double.
#pragma once
#include <math.h>

#include "host_device.h"

LRAST_BEGIN

struct Vec3 {
  double x, y, z;
  LRAST_HD double operator[](int axis) const { return axis == 0 ? x : axis == 1 ? y : z; }
};

LRAST_HD Vec3 operator+(const Vec3& a, const Vec3& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
LRAST_HD Vec3 operator-(const Vec3& a, const Vec3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
LRAST_HD Vec3 operator*(double s, const Vec3& a) { return {s * a.x, s * a.y, s * a.z}; }
LRAST_HD double dot(const Vec3& a, const Vec3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
LRAST_HD Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
LRAST_HD double squared(const Vec3& a) { return dot(a, a); }
LRAST_HD double length(const Vec3& a) { return sqrt(squared(a)); }
/// The same direction with length 1; zero where there is none.
LRAST_HD Vec3 unit(const Vec3& a) {
  const double size = length(a);
  return size > 0 ? (1 / size) * a : Vec3{0, 0, 0};
}

LRAST_END
