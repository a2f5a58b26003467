// csrc/kernels/buffer.h: growing arrays for the CPU kernels.
// std::vector would be merged across ISA levels by the linker (see host_device.h).
#pragma once
#include <stdlib.h>
#include <string.h>

#include <new>

#include "../core/host_device.h"

LRAST_BEGIN

template <typename T> class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * int64_t(sizeof(T)); }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  void clear() { size_ = 0; }

  /// Sets the size; contents are kept up to the old size and undefined beyond.
  void resize(int64_t size) {
    if (size > capacity_) grow(size);
    size_ = size;
  }
  void zero(int64_t size) {
    resize(size);
    if (size > 0) memset(static_cast<void*>(data_), 0, size_t(bytes()));
  }
  void push(const T& item) {
    if (size_ == capacity_) grow(size_ + 1);
    data_[size_++] = item;
  }
  /// Room for `extra` more items; the caller fills it and then calls resize().
  T* reserve(int64_t extra) {
    if (size_ + extra > capacity_) grow(size_ + extra);
    return data_ + size_;
  }
  void swap(Buffer& other) {
    T* const data = data_;
    const int64_t size = size_, capacity = capacity_;
    data_ = other.data_, size_ = other.size_, capacity_ = other.capacity_;
    other.data_ = data, other.size_ = size, other.capacity_ = capacity;
  }

 private:
  void grow(int64_t needed) {
    const int64_t capacity = larger(needed, capacity_ + capacity_ / 2 + 16);
    void* data = realloc(static_cast<void*>(data_), size_t(capacity) * sizeof(T));
    if (!data) throw std::bad_alloc();
    data_ = static_cast<T*>(data);
    capacity_ = capacity;
  }
  T* data_ = nullptr;
  int64_t size_ = 0, capacity_ = 0;
};

/// Objects that stay where they are and keep what they hold when the number in use shrinks: a
/// picture's buffers, kept between calls because fresh pages are slow.
template <typename T> class Pool {
 public:
  Pool() = default;
  ~Pool() {
    for (int64_t i = 0; i < items_.size(); ++i) delete items_[i];
  }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return *items_[i]; }
  const T& operator[](int64_t i) const { return *items_[i]; }
  void resize(int64_t size) {
    for (int64_t i = items_.size(); i < size; ++i) {
      items_.reserve(1);
      items_.push(new T());
    }
    size_ = size;
  }

 private:
  Buffer<T*> items_;
  int64_t size_ = 0;
};

LRAST_END
