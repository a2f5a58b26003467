// csrc/kernels/crew.h: the threads that CPU kernels share.
#pragma once

namespace lrast {

/// Calls work(what) on the calling thread and on up to `threads - 1` others at the same time, and
/// returns when all of them have. Others join while the calling thread is at work, as they wake up:
/// `work` must do everything even if nobody comes, and must not throw. Where the others are busy
/// with somebody else's call, nobody comes.
void work_with_crew(int threads, void (*work)(void* what), void* what);

}  // namespace lrast
