// src/ring/options.h: public. Sizes of a proactor; all its memory follows from them.
#pragma once

#include <cstdint>

namespace ringtalk::ring {

// 0 = the back end's choice for this kernel, in uring_ring.cc, uring_buffers.cc, epoll_proactor.cc.
struct ProactorOptions {
  uint32_t connections = 16'384;
  uint32_t listeners = 4;
  // io_uring: entries of the submission queue.
  uint32_t submission_entries = 1'024;
  // io_uring: entries of the completion queue. epoll: events taken by one wait.
  uint32_t completion_entries = 0;
  // io_uring: receive buffers that the kernel may hold. epoll needs one: it reads and delivers at
  // once.
  uint32_t buffers = 0;
  // The longest lease of a receive.
  uint32_t buffer_bytes = 0;
  // io_uring: proactors that share a core, which hold idle connections mostly. They share the
  // receive buffers of one, too.
  uint32_t per_core = 1;
  // io_uring features that must not be used, comma separated names (see UringFeatures), "" = none.
  const char* uring_mask = "";

  // So small that a test reaches every limit.
  static ProactorOptions test_min() {
    ProactorOptions options;
    options.connections = 16;
    options.listeners = 2;
    options.submission_entries = 8;
    options.completion_entries = 16;
    options.buffers = 4;
    options.buffer_bytes = 256;
    return options;
  }
};

}  // namespace ringtalk::ring
