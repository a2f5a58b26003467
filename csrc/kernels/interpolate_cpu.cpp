// csrc/kernels/interpolate_cpu.cpp: loops over pixels, and sums over the pixels of each attribute
// row.  Compiled per ISA level.
#include "interpolate.h"

#include <string.h>

#include "buffer.h"
#include "parallel.h"

#ifdef __AVX__
#include <immintrin.h>
#endif

LRAST_BEGIN
namespace {

using Status = InterpolateStatus;

// Vectors of the compiler: up to four channels at once at every ISA level. Functions take them by
// reference, because how they are passed by value depends on the level.
template <typename T> struct Four;
template <> struct Four<float> { typedef float Lanes __attribute__((vector_size(16))); };
template <> struct Four<double> { typedef double Lanes __attribute__((vector_size(32))); };
template <typename T> using Lanes = typename Four<T>::Lanes;

/// kCount channels; the lanes beyond are zero.
template <int kCount, typename T> inline void load(const T* from, Lanes<T>& to) {
  static_assert(1 <= kCount && kCount <= 4);
  if constexpr (kCount == 1) to = Lanes<T>{from[0]};
  if constexpr (kCount == 2) to = Lanes<T>{from[0], from[1]};
  if constexpr (kCount == 3) to = Lanes<T>{from[0], from[1], from[2]};
  if constexpr (kCount == 4) memcpy(&to, from, sizeof(to));
}
template <int kCount, typename T> inline void store(const Lanes<T>& from, T* to) {
  if constexpr (kCount == 4) {
    memcpy(to, &from, sizeof(from));
  } else {
    for (int c = 0; c < kCount; ++c) to[c] = from[c];
  }
}
#ifdef __AVX512VL__
// Three of four lanes at once, which otherwise take two instructions each way.
template <> inline void load<3>(const float* from, Lanes<float>& to) {
  to = _mm_maskz_loadu_ps(7, from);
}
template <> inline void store<3>(const Lanes<float>& from, float* to) {
  _mm_mask_storeu_ps(to, 7, from);
}
#endif

inline void widen(const Lanes<double>& from, Lanes<double>& to) { to = from; }
inline void widen(const Lanes<float>& from, Lanes<double>& to) {
#ifdef __AVX__
  to = _mm256_cvtps_pd(from);  // which the compiler takes apart if left to itself
#else
  to = __builtin_convertvector(from, Lanes<double>);
#endif
}

/// As BlendOneByOne, four channels at a time.
struct BlendLanes {
  template <int kCount, typename T>
  static void some_rows(const T* const* rows, const T* bary, int first, T* out) {
    Lanes<T> a, b, c, sum;
    load<kCount>(rows[0] + first, a);
    load<kCount>(rows[1] + first, b);
    load<kCount>(rows[2] + first, c);
    blend(a, b, c, bary, sum);
    store<kCount>(sum, out + first);
  }
  template <int kChannels, typename T>
  static void rows(const T* const* rows, const T* bary, int channels, T* out) {
    if constexpr (kChannels > 0) return some_rows<kChannels>(rows, bary, 0, out);
    int c = 0;
    for (; c + 4 <= channels; c += 4) some_rows<4>(rows, bary, c, out);
    for (; c < channels; ++c) some_rows<1>(rows, bary, c, out);
  }

  template <int kChannels, typename T>
  static void weights_vjp(const T* grad, const T* const* rows, int channels, T* grad_bary) {
    if constexpr (0 < kChannels && kChannels < 4)
      return BlendOneByOne::weights_vjp<kChannels>(grad, rows, channels, grad_bary);
    constexpr T kStart = kNothing<T>;
    Lanes<T> lanes[3];
    for (Lanes<T>& sum : lanes) sum = Lanes<T>{kStart, kStart, kStart, kStart};
    int done = 0;
    for (; done + 4 <= channels; done += 4) {
      Lanes<T> part;
      load<4>(grad + done, part);
      for (int corner = 0; corner < 3; ++corner) {
        Lanes<T> row;
        load<4>(rows[corner] + done, row);
        lanes[corner] += part * row;
      }
    }
    T sums[3][4];
    memcpy(sums, lanes, sizeof(sums));
    for (int corner = 0; corner < 3; ++corner)
      for (int c = done; c < channels; ++c) sums[corner][c & 3] += grad[c] * rows[corner][c];
    blend_weights_vjp(sums, grad_bary);
  }
};

/// First of the chunks' failures.
inline Status first_failure(const Buffer<Status>& results) {
  for (int64_t i = 0; i < results.size(); ++i)
    if (results[i].code != Status::kOk) return results[i];
  return {Status::kOk, 0};
}

/// Calls body(args, attrs, pixel) for all pixels, until one fails.
template <typename Args, typename Body> Status over_pixels(const Args& shared_args, Body&& body) {
  const InterpolateLayout& layout = shared_args.layout;
  const int64_t count = layout.num_views * layout.num_pixels;
  const int threads = larger(shared_args.num_threads, 1), chunks = num_chunks(count, threads);
  Buffer<Status> results;
  results.resize(chunks);
  parallel_chunks(count, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    const Args args = shared_args;  // what nobody else can see need not be read again
    Status status{Status::kOk, 0};
    while (begin < end && status.code == Status::kOk) {
      const auto* const attrs = attrs_at(args, begin);
      const int64_t view_end = (begin / args.layout.num_pixels + 1) * args.layout.num_pixels;
      const int64_t last = smaller(end, view_end);
      for (; begin < last; ++begin) {
        const Status::Code code = body(args, attrs, begin);
        if (code == Status::kOk) continue;
        status = {code, begin};
        break;
      }
    }
    results[chunk] = status;
  });
  return first_failure(results);
}

/// A number of channels that the compiler knows.
template <int kNumber> struct Channels { static constexpr int kCount = kNumber; };

/// Calls body with the number of channels where it is worth knowing to the compiler, or 0.
template <typename Body> Status with_channels(int channels, Body&& body) {
  try {
    switch (channels) {
      case 1: return body(Channels<1>());
      case 2: return body(Channels<2>());
      case 3: return body(Channels<3>());
      case 4: return body(Channels<4>());
      default: return body(Channels<0>());
    }
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, 0};
  }
}

template <typename T> Status forward(const InterpolateArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto channels) {
    constexpr int kCount = channels.kCount;
    return over_pixels(args, [](const InterpolateArgs<T>& own, const T* attrs, int64_t pixel) {
      return interpolate_at<kCount, BlendLanes>(own, attrs, pixel);
    });
  });
}

template <typename T> Status bary_vjp(const InterpolateBaryVjpArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto channels) {
    constexpr int kCount = channels.kCount;
    return over_pixels(args,
                       [](const InterpolateBaryVjpArgs<T>& own, const T* attrs, int64_t pixel) {
      return interpolate_bary_vjp_at<kCount, BlendLanes>(own, attrs, pixel);
    });
  });
}

// --- Gradient of the attributes -------------------------------------------------------------------
//
// Pixels are cut into bands of a fixed size. Each band sums, face by face, over its own pixels; the
// sums of all bands are then added to the rows of the faces' corners in the order of the bands. So
// no two threads write to one place, and the result does not depend on how many there are.

constexpr int64_t kBand = 1 << 14;  // pixels

/// Sums of the faces seen in a band.
struct Band {
  Buffer<int32_t> faces;
  Buffer<double> sums;  // (faces, C, 4): a number for each corner, and one unused
  Status status;
};

/// Where a thread finds a face's place in its band. Entries of other bands are left in it: one is
/// valid if the band has this face there.
struct FacePlaces {
  Buffer<int32_t> place;

  void reserve(int64_t num_faces) {
    if (place.size() < num_faces) place.zero(num_faces);
  }
  bool has(const Band& band, int32_t face) const {
    const int32_t at = place[face];
    return at < band.faces.size() && band.faces[at] == face;
  }
  /// Sums (C, 4) of the face, zero at first.
  double* sums(Band& band, int32_t face, int64_t width) {
    if (has(band, face)) return band.sums.data() + place[face] * width;
    place[face] = int32_t(band.faces.size());
    band.faces.push(face);
    double* const sums = band.sums.reserve(width);
    band.sums.resize(band.sums.size() + width);
    memset(sums, 0, size_t(width) * sizeof(double));
    return sums;
  }
};

/// A call of its own, so that its address is not looked up again at each use.
__attribute__((noinline)) FacePlaces& own_places() {
  static thread_local FacePlaces places;
  return places;
}

/// Adds the gradients of the three rows over a run of pixels to kCount channels of sums (C, 4).
template <int kCount, typename T>
inline void add_run(const T* grad, const T* bary, int64_t count, int stride, double* sums) {
  Lanes<double> totals[kCount];
  for (int c = 0; c < kCount; ++c) load<4>(sums + 4 * c, totals[c]);
  for (; count > 0; --count, grad += stride, bary += 3) {
    Lanes<T> narrow;
    Lanes<double> weights, channel;
    load<3>(bary, narrow);
    widen(narrow, weights);
    for (int c = 0; c < kCount; ++c) {
      widen(Lanes<T>{grad[c], grad[c], grad[c], grad[c]}, channel);
      blend_rows_vjp(channel, weights, totals[c]);
    }
  }
  for (int c = 0; c < kCount; ++c) store<4>(totals[c], sums + 4 * c);
}

template <int kChannels, typename T>
void sum_band(const InterpolateAttrsVjpArgs<T>& args, int64_t begin, int64_t end, Band& band) {
  FacePlaces& places = own_places();
  places.reserve(args.layout.num_faces);
  const int channels = kChannels ? kChannels : args.layout.num_channels;
  const int32_t* const face_idx = args.layout.face_idx;
  band.faces.clear();
  band.sums.clear();
  band.status = {Status::kOk, 0};
  while (begin < end) {
    const int32_t face = face_idx[begin];
    int64_t last = begin + 1;
    while (last < end && face_idx[last] == face) ++last;
    const int64_t first = begin;
    begin = last;
    if (face == -1) continue;
    int64_t rows[3];
    const Status::Code code = corner_rows(args.layout, face, rows);
    if (code != Status::kOk) {
      band.status = {code, first};
      return;
    }
    double* const sums = places.sums(band, face, 4 * int64_t(channels));
    const T *grad = args.grad + first * channels, *bary = args.bary + 3 * first;
    if constexpr (kChannels) {
      add_run<kChannels>(grad, bary, last - first, channels, sums);
    } else {
      int c = 0;
      for (; c + 4 <= channels; c += 4)
        add_run<4>(grad + c, bary, last - first, channels, sums + 4 * c);
      for (; c < channels; ++c) add_run<1>(grad + c, bary, last - first, channels, sums + 4 * c);
    }
  }
}

/// Adds a band's sums to rows (R, C).
template <int kChannels>
Status merge_band(const InterpolateLayout& layout, const Band& band, double* rows) {
  if (band.status.code != Status::kOk) return band.status;
  const int channels = kChannels ? kChannels : layout.num_channels;
  const double* sums = band.sums.data();
  for (int64_t i = 0; i < band.faces.size(); ++i) {
    for (int corner = 0; corner < 3; ++corner) {
      double* const row = rows + corner_row(layout, band.faces[i], corner) * channels;
      for (int c = 0; c < channels; ++c) row[c] += sums[4 * c + corner];
    }
    sums += 4 * channels;
  }
  return {Status::kOk, 0};
}

template <int kChannels, typename T>
Status sum_pixels(const InterpolateAttrsVjpArgs<T>& args, int64_t begin, int64_t end, int threads,
                  double* rows) {
  constexpr int kWave = 64;
  static thread_local Band bands[kWave];
  Band* const wave = bands;  // thread_local: other threads must not resolve it themselves
  const int64_t in_wave = threads <= 1 ? 1 : smaller(kWave, 4 * threads);
  while (begin < end) {
    const int count = int(smaller(in_wave, (end - begin + kBand - 1) / kBand));
    parallel_chunks(count, count, threads, [&](int, int64_t band, int64_t) {
      const int64_t first = begin + band * kBand;
      sum_band<kChannels>(args, first, smaller(first + kBand, end), wave[band]);
    });
    for (int i = 0; i < count; ++i) {
      const Status status = merge_band<kChannels>(args.layout, wave[i], rows);
      if (status.code != Status::kOk) return status;
    }
    begin += count * kBand;
  }
  return {Status::kOk, 0};
}

template <int kChannels, typename T>
Status attrs_vjp_of_views(const InterpolateAttrsVjpArgs<T>& args, int64_t first, int64_t last,
                          int threads) {
  static thread_local Buffer<double> rows;
  const InterpolateLayout& layout = args.layout;
  const int64_t size = layout.num_rows * layout.num_channels;
  T* out = args.grad_attrs + (layout.shared ? 0 : first * size);
  rows.zero(size);
  const Status status = sum_pixels<kChannels>(args, first * layout.num_pixels,
                                              last * layout.num_pixels, threads, rows.data());
  for (int64_t i = 0; i < size; ++i) out[i] = T(rows[i]);
  return status;
}

template <typename T> Status attrs_vjp(const InterpolateAttrsVjpArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto channels) {
    constexpr int kCount = channels.kCount;
    const int64_t views = args.layout.num_views;
    const int threads = larger(args.num_threads, 1);
    if (args.layout.shared) return attrs_vjp_of_views<kCount>(args, 0, views, threads);
    const bool abreast = threads > 1 && views >= threads;
    Buffer<Status> results;
    results.resize(views);
    parallel_chunks(views, abreast ? int(views) : 1, threads,
                    [&](int, int64_t begin, int64_t end) {
      for (int64_t view = begin; view < end; ++view)
        results[view] = attrs_vjp_of_views<kCount>(args, view, view + 1, abreast ? 1 : threads);
    });
    return first_failure(results);
  });
}

}  // namespace
LRAST_END

namespace lrast {
const InterpolateKernels LRAST_JOIN(interpolate_kernels, LRAST_ISA){
    forward<float>,  forward<double>,   bary_vjp<float>,
    bary_vjp<double>, attrs_vjp<float>, attrs_vjp<double>};
}
