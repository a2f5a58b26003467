// csrc/kernels/soft_views.h: loops over views and over the tiles of one (CPU).
#pragma once
#include <stdlib.h>

#include "parallel.h"
#include "soft_front.h"

LRAST_BEGIN

/// Bytes of lists and gradients that a view may take at once, beyond those of one tile; tests set
/// few in the environment.
inline int64_t band_bytes() {
  static const int64_t bytes = [] {
    const char* const text = getenv("LRAST_SOFT_BAND_BYTES");
    const int64_t asked = text ? atoll(text) : 0;
    return asked > 0 ? asked : int64_t(1) << 28;
  }();
  return bytes;
}

/// Goes over bands of tiles whose faces take band_bytes() at `bytes` each: lists their faces, calls
/// start(band), then body(tile) for all its tiles, then end(band).
template <typename T, typename Start, typename Body, typename End>
void over_bands(const SoftView<T>& view, SoftFront& front, int64_t bytes, bool for_gradient,
                Start&& start, Body&& body, End&& end) {
  const int64_t most = larger<int64_t>(band_bytes() / bytes, 1);
  for (int64_t first = 0; first < view.num_tiles();) {
    const TileBand band = find_band(view, front, first, most);
    sort_into_tiles(view, front, band, for_gradient);
    start(band);
    const int64_t tiles = band.end - band.begin;
    const int chunks = view.threads <= 1 ? 1 : int(tiles);
    parallel_chunks(tiles, chunks, view.threads, [&](int, int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) body(band.begin + tile);
    });
    end(band);
    first = band.end;
  }
}

/// Calls body(view) for every view: threads over the views where there are enough of them and they
/// share nothing, else inside each.
template <typename T, typename Args, typename Body>
SoftStatus over_views(const Args& args, Body&& body, bool apart = true) {
  const int threads = larger(args.num_threads, 1);
  const bool outer = apart && threads > 1 && args.num_views >= threads;
  const auto one = [&](int64_t index) -> SoftStatus {
    const SoftView<T> view{args.verts_clip + 4 * args.num_verts * index, args.faces, args.model,
                           index, args.num_verts, args.num_faces, args.height, args.width,
                           outer ? 1 : threads};
    try {
      return body(view);
    } catch (const std::bad_alloc&) {
      return {SoftStatus::kNoMemory, 0, 0};
    }
  };
  const SoftStatus good{SoftStatus::kOk, 0, 0};
  if (!outer) {
    SoftStatus status = good;
    for (int64_t i = 0; i < args.num_views && status.code == SoftStatus::kOk; ++i) status = one(i);
    return status;
  }
  SoftStatus* found = new (std::nothrow) SoftStatus[size_t(args.num_views)];
  if (!found) return {SoftStatus::kNoMemory, 0, 0};
  parallel_tasks(args.num_views, threads, [&](int64_t i) { found[i] = one(i); });
  SoftStatus status = good;
  for (int64_t i = args.num_views - 1; i >= 0; --i)
    if (found[i].code != SoftStatus::kOk) status = found[i];
  delete[] found;
  return status;
}

LRAST_END
