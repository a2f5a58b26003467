// csrc/kernels/interpolate_cpu.cpp: loops over pixels, and sums over the pixels of each attribute
// row.  Compiled per ISA level.
#include "interpolate.h"

#include <string.h>

#include "buffer.h"
#include "parallel.h"

LRAST_BEGIN
namespace {

using Status = InterpolateStatus;

// Channels that a vector of the compiler holds, in double: gradients are summed in it. Functions
// take them by reference, because how they are passed by value depends on the ISA level.
typedef double Double4 __attribute__((vector_size(32)));

/// First of the chunks' failures.
inline Status first_failure(const Buffer<Status>& results) {
  for (int64_t i = 0; i < results.size(); ++i)
    if (results[i].code != Status::kOk) return results[i];
  return {Status::kOk, 0};
}

/// Calls body(attrs, pixel) for all pixels, until one fails.
template <typename Args, typename Body> Status over_pixels(const Args& args, Body&& body) {
  const int64_t count = args.layout.num_views * args.layout.num_pixels;
  const int threads = larger(args.num_threads, 1), chunks = num_chunks(count, threads);
  Buffer<Status> results;
  results.resize(chunks);
  parallel_chunks(count, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    Status& result = results[chunk];
    result = {Status::kOk, 0};
    while (begin < end) {
      const auto* const attrs = attrs_at(args, begin);
      // A stretch of pixels with the same attributes.
      const int64_t last = smaller(end, (begin / args.layout.num_pixels + 1) * args.layout.num_pixels);
      for (; begin < last; ++begin) {
        const Status::Code code = body(attrs, begin);
        if (code == Status::kOk) continue;
        result = {code, begin};
        return;
      }
    }
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
    return over_pixels(args, [&](const T* attrs, int64_t pixel) {
      return interpolate_at<channels.kCount>(args, attrs, pixel);
    });
  });
}

template <typename T> Status bary_vjp(const InterpolateBaryVjpArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto channels) {
    return over_pixels(args, [&](const T* attrs, int64_t pixel) {
      return interpolate_bary_vjp_at<channels.kCount>(args, attrs, pixel);
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
  Buffer<double> sums;  // (faces, 3, C)
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
  /// Sums (3, C) of the face, zero at first.
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

/// Adds the gradients of the three rows over a run of pixels to channels [0, kCount) of sums.
template <int kCount, typename T>
void add_run(const T* grad, const T* bary, int64_t count, int stride, double* sums) {
  Double4 totals[3] = {};
  for (int64_t i = 0; i < count; ++i) {
    Double4 wide = {};
    for (int c = 0; c < kCount; ++c) wide[c] = grad[i * stride + c];
    const double weights[3] = {double(bary[3 * i]), double(bary[3 * i + 1]),
                               double(bary[3 * i + 2])};
    blend_rows_vjp(wide, weights, totals);
  }
  for (int corner = 0; corner < 3; ++corner)
    for (int c = 0; c < kCount; ++c) sums[corner * stride + c] += totals[corner][c];
}

template <int kChannels, typename T>
void sum_band(const InterpolateAttrsVjpArgs<T>& args, int64_t begin, int64_t end, Band& band) {
  static thread_local FacePlaces places;
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
    if (face != -1) {
      int64_t rows[3];
      const Status::Code code = corner_rows(args.layout, face, rows);
      if (code != Status::kOk) {
        band.status = {code, begin};
        return;
      }
      double* sums = places.sums(band, face, 3 * int64_t(channels));
      const T* grad = args.grad + begin * channels;
      const T* bary = args.bary + 3 * begin;
      if constexpr (kChannels) {
        add_run<kChannels>(grad, bary, last - begin, channels, sums);
      } else {
        int c = 0;
        for (; c + 4 <= channels; c += 4)
          add_run<4>(grad + c, bary, last - begin, channels, sums + c);
        for (; c < channels; ++c) add_run<1>(grad + c, bary, last - begin, channels, sums + c);
      }
    }
    begin = last;
  }
}

/// Adds a band's sums to rows (R, C).
template <int kChannels>
Status merge_band(const InterpolateLayout& layout, const Band& band, double* rows) {
  if (band.status.code != Status::kOk) return band.status;
  const int channels = kChannels ? kChannels : layout.num_channels;
  const double* sums = band.sums.data();
  for (int64_t i = 0; i < band.faces.size(); ++i) {
    for (int corner = 0; corner < 3; ++corner, sums += channels) {
      double* const row = rows + corner_row(layout, band.faces[i], corner) * channels;
      for (int c = 0; c < channels; ++c) row[c] += sums[c];
    }
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
