// csrc/core/host_device.h: what lets one formula serve the CPU at every ISA level and the GPU.
#pragma once
#include <stdint.h>

#ifdef __CUDACC__
#define LRAST_HD __host__ __device__ inline
// Of a long template: the GPU calls it, because every copy takes a second to compile.
#define LRAST_HD_LONG __host__ __device__ __noinline__
#else
#define LRAST_HD inline
#define LRAST_HD_LONG
#endif

// The hot translation units are compiled once per ISA level. An inline namespace per level keeps
// the linker from merging their inline functions, which would leak AVX-512 into the baseline.
#ifndef LRAST_ISA
#define LRAST_ISA portable
#endif
#define LRAST_BEGIN namespace lrast { inline namespace LRAST_ISA {
#define LRAST_END } }

// Name of what each level defines once, outside of its namespace: name_v3.
#define LRAST_JOIN_(name, isa) name##_##isa
#define LRAST_JOIN(name, isa) LRAST_JOIN_(name, isa)

LRAST_BEGIN

// Own min/max/abs: those of <algorithm> are templates that the linker would merge across levels.
template <typename T> LRAST_HD T smaller(T a, T b) { return b < a ? b : a; }
template <typename T> LRAST_HD T larger(T a, T b) { return a < b ? b : a; }
template <typename T> LRAST_HD T clamped(T x, T lo, T hi) {
  return x < lo ? lo : (hi < x ? hi : x);
}

LRAST_END
