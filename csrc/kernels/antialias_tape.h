// csrc/kernels/antialias_tape.h: what the forward pass leaves for the backward pass (CPU).
// Layout as the tape of contour coverage: number of words, byte offset of each view, views, mark.
#pragma once
#include "antialias_view.h"

LRAST_BEGIN

template <typename Item>
uint8_t* append_items(uint8_t* out, const Item* items, int64_t count) {
  static_assert(sizeof(Item) % 8 == 0, "a tape is made of whole words");
  if (count > 0) memcpy(out, items, size_t(count) * sizeof(Item));
  return out + count * int64_t(sizeof(Item));
}

/// Calls visit(chunk) for each of the chunks.
template <typename T, typename Visit>
void for_chunks(const Buffer<RowChunk<T>*>& chunks, int count, Visit&& visit) {
  for (int i = 0; i < count; ++i) visit(*chunks[i]);
}

/// One view's tape. Edges are renumbered to those that anything refers to.
template <typename T>
void write_antialias_tape(const Buffer<RowChunk<T>*>& chunks, int num_chunks,
                          const ViewOutline& outline, bool flat, Buffer<int32_t>& number,
                          Buffer<uint8_t>& tape) {
  AntialiasTapeView head{0, outline.cuts.size(), 0, 0, 0, 0, flat};
  number.zero(outline.edges.size());
  for_chunks(chunks, num_chunks, [&](RowChunk<T>& chunk) {
    head.pixels += chunk.blended.size();
    head.spans += chunk.spans.size();
    head.borders += chunk.border_pieces.size();
    head.crossings += chunk.faces.size();
    for (int64_t i = 0; i < chunk.spans.size(); ++i) number[chunk.spans[i].edge] = 1;
    for (int64_t i = 0; i < chunk.border_pieces.size(); ++i) number[chunk.border_pieces[i].edge] = 1;
  });
  for (int64_t i = 0; i < outline.edges.size(); ++i) head.edges += number[i];
  static_assert(sizeof(TapeCut) % 8 == 0 && sizeof(TapeEdge) % 8 == 0, "");
  tape.resize(int64_t(sizeof(head)) + head.edges * int64_t(sizeof(TapeEdge)) +
              head.cuts * int64_t(sizeof(TapeCut)) +
              head.pixels * int64_t(sizeof(BlendedPixel<T>)) +
              head.spans * int64_t(sizeof(OutlineSpan<T>)) +
              head.borders * int64_t(sizeof(BorderPiece<T>)) +
              head.crossings * int64_t(sizeof(FaceCrossing<T>)));
  uint8_t* out = append_items(tape.data(), &head, 1);
  int32_t next = 0;
  for (int64_t i = 0; i < outline.edges.size(); ++i) {
    if (!number[i]) continue;
    const ContourEdge& e = outline.edges[i];
    const TapeEdge record{e.x1 - e.x0, e.y1 - e.y0, e.top, e.bottom};
    out = append_items(out, &record, 1);
    number[i] = next++;
  }
  out = append_items(out, outline.cuts.data(), head.cuts);
  for_chunks(chunks, num_chunks, [&](RowChunk<T>& chunk) {
    out = append_items(out, chunk.blended.data(), chunk.blended.size());
    for (int64_t i = 0; i < chunk.spans.size(); ++i)
      chunk.spans[i].edge = number[chunk.spans[i].edge];
    for (int64_t i = 0; i < chunk.border_pieces.size(); ++i)
      chunk.border_pieces[i].edge = number[chunk.border_pieces[i].edge];
  });
  for_chunks(chunks, num_chunks, [&](RowChunk<T>& chunk) {
    out = append_items(out, chunk.spans.data(), chunk.spans.size());
  });
  for_chunks(chunks, num_chunks, [&](RowChunk<T>& chunk) {
    out = append_items(out, chunk.border_pieces.data(), chunk.border_pieces.size());
  });
  for_chunks(chunks, num_chunks, [&](RowChunk<T>& chunk) {
    out = append_items(out, chunk.faces.data(), chunk.faces.size());
  });
}

/// A view's tape as it is read back.
template <typename T> struct AntialiasTape {
  AntialiasTapeView head;
  const TapeEdge* edges;
  const TapeCut* cuts;
  const BlendedPixel<T>* pixels;
  const OutlineSpan<T>* spans;
  const BorderPiece<T>* borders;
  const FaceCrossing<T>* crossings;

  AntialiasTape(const int64_t* tape, int64_t view) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(tape) + tape[1 + view];
    head = *reinterpret_cast<const AntialiasTapeView*>(bytes);
    edges = reinterpret_cast<const TapeEdge*>(bytes + sizeof(head));
    cuts = reinterpret_cast<const TapeCut*>(edges + head.edges);
    pixels = reinterpret_cast<const BlendedPixel<T>*>(cuts + head.cuts);
    spans = reinterpret_cast<const OutlineSpan<T>*>(pixels + head.pixels);
    borders = reinterpret_cast<const BorderPiece<T>*>(spans + head.spans);
    crossings = reinterpret_cast<const FaceCrossing<T>*>(borders + head.borders);
  }
};

/// Joins the tapes of all views into malloc'ed words.
inline bool join_antialias_tapes(const Buffer<uint8_t>* const* views, int64_t num_views,
                                 int64_t** tape, int64_t* tape_words) {
  int64_t words = 2 + num_views;
  for (int64_t view = 0; view < num_views; ++view) words += views[view]->size() / 8;
  int64_t* const out = static_cast<int64_t*>(malloc(size_t(words) * sizeof(int64_t)));
  if (!out) return false;
  uint8_t* end = reinterpret_cast<uint8_t*>(out + 1 + num_views);
  for (int64_t view = 0; view < num_views; ++view) {
    out[1 + view] = end - reinterpret_cast<uint8_t*>(out);
    end = append_items(end, reinterpret_cast<const int64_t*>(views[view]->data()),
                       views[view]->size() / 8);
  }
  out[0] = words;
  out[words - 1] = kTapeMark;
  *tape = out;
  *tape_words = words;
  return true;
}

LRAST_END
