// csrc/kernels/interpolate_cpu.cpp: loops over pixels, and sums over the pixels of each attribute
// row.  Compiled per ISA level.
#include "interpolate.h"

#include "buffer.h"
#include "interpolate_lanes.h"
#include "parallel.h"

LRAST_BEGIN
namespace {

using Status = InterpolateStatus;

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

/// The attributes of the three corners of the face at a pixel, nulls on the background.
template <int kChannels, typename T>
inline Status::Code corners_at(const InterpolateLayout& layout, const T* attrs, int64_t pixel,
                               const T** corners) {
  const int64_t channels = kChannels ? kChannels : layout.num_channels;
  const int32_t face = layout.face_idx[pixel];
  corners[0] = nullptr;
  if (face == -1) return Status::kOk;
  int64_t rows[3];
  const Status::Code code = corner_rows(layout, face, rows);
  if (code != Status::kOk) return code;
  for (int corner = 0; corner < 3; ++corner) corners[corner] = attrs + rows[corner] * channels;
  return Status::kOk;
}

template <typename T> Status forward(const InterpolateArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto known) {
    constexpr int kChannels = known.kCount;
    return over_pixels(args, [](const InterpolateArgs<T>& own, const T* attrs, int64_t pixel) {
      const int channels = kChannels ? kChannels : own.layout.num_channels;
      T* const out = own.out + pixel * channels;
      const T* rows[3];
      const Status::Code code = corners_at<kChannels>(own.layout, attrs, pixel, rows);
      if (code != Status::kOk) return code;
      if (rows[0]) {
        blend_channels<kChannels>(rows, own.bary + 3 * pixel, channels, out);
      } else {
        for (int c = 0; c < channels; ++c) out[c] = T(0);
      }
      return Status::kOk;
    });
  });
}

template <typename T> Status bary_vjp(const InterpolateBaryVjpArgs<T>& args) {
  return with_channels(args.layout.num_channels, [&](auto known) {
    constexpr int kChannels = known.kCount;
    return over_pixels(args,
                       [](const InterpolateBaryVjpArgs<T>& own, const T* attrs, int64_t pixel) {
      const int channels = kChannels ? kChannels : own.layout.num_channels;
      T* const out = own.grad_bary + 3 * pixel;
      const T* rows[3];
      const Status::Code code = corners_at<kChannels>(own.layout, attrs, pixel, rows);
      if (code != Status::kOk) return code;
      if (rows[0]) {
        blend_weights_vjp<kChannels>(own.grad + pixel * channels, rows, channels, out);
      } else {
        for (int corner = 0; corner < 3; ++corner) out[corner] = T(0);
      }
      return Status::kOk;
    });
  });
}

// --- Gradient of the attributes ------------------------------------------------------------------
//
// Pixels are cut into bands, in the same way for any number of threads. Each band sums, face by
// face, over its own pixels; the sums of all bands are then added to the rows of the faces' corners
// in the order of the bands. So no two threads write to one place, and the result does not depend
// on how many there are.

/// Pixels of a band: fewer where there are many channels, to bound the memory of its sums.
inline int64_t band_size(int channels) {
  return larger<int64_t>(1 << 10, (1 << 16) / larger(channels, 4));
}

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
  constexpr int kWave = 32;  // bands between two merges: more take memory, fewer wake threads often
  static thread_local Band bands[kWave];
  Band* const wave = bands;  // thread_local: other threads must not resolve it themselves
  const int64_t in_wave = threads <= 1 ? 1 : kWave;
  const int64_t size = band_size(args.layout.num_channels);
  while (begin < end) {
    const int count = int(smaller(in_wave, (end - begin + size - 1) / size));
    parallel_chunks(count, count, threads, [&](int, int64_t band, int64_t) {
      const int64_t first = begin + band * size;
      sum_band<kChannels>(args, first, smaller(first + size, end), wave[band]);
    });
    for (int i = 0; i < count; ++i) {
      const Status status = merge_band<kChannels>(args.layout, wave[i], rows);
      if (status.code != Status::kOk) return status;
    }
    begin += count * size;
  }
  return {Status::kOk, 0};
}

/// Sums of rows (R, C) in double: the result's own memory where it is that already.
inline double* row_sums(double* out, int64_t size, Buffer<double>&) {
  memset(out, 0, size_t(size) * sizeof(double));
  return out;
}
inline double* row_sums(float*, int64_t size, Buffer<double>& memory) {
  memory.zero(size);
  return memory.data();
}
inline void store_rows(const double*, int64_t, double*) {}
inline void store_rows(const double* sums, int64_t size, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = float(sums[i]);
}

template <int kChannels, typename T>
Status attrs_vjp_of_views(const InterpolateAttrsVjpArgs<T>& args, int64_t first, int64_t last,
                          int threads) {
  constexpr int64_t kKept = 1 << 20;  // fresh pages are slow, and too many are not to be held
  static thread_local Buffer<double> kept;
  Buffer<double> released;
  const InterpolateLayout& layout = args.layout;
  const int64_t size = layout.num_rows * layout.num_channels;
  T* const out = args.grad_attrs + (layout.shared ? 0 : first * size);
  if (size == 0) return {Status::kOk, 0};
  double* const sums = row_sums(out, size, size <= kKept ? kept : released);
  const Status status = sum_pixels<kChannels>(args, first * layout.num_pixels,
                                              last * layout.num_pixels, threads, sums);
  store_rows(sums, size, out);
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
