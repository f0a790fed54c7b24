// src/base/waker.h: public. Wakes the thread that owns an inbox.
#pragma once

namespace ringtalk::base {

class Waker {
 public:
  virtual ~Waker() = default;
  // Any thread. Makes the owner's current or next wait return; several wakes may become one.
  virtual void wake() noexcept = 0;
};

}  // namespace ringtalk::base
