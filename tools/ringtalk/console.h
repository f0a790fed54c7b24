// tools/ringtalk/console.h: the terminal's side: lines of standard input and Ctrl-C.
//
// A thread of its own reads standard input and waits for signals, so that the loop of the proactor
// never blocks on either. Ownership: of the thread; the destructor ends it. Thread rule: made and
// asked by the main thread before any other thread exists (it blocks SIGINT and SIGTERM there).
// Invariant: at most kLinesMax lines wait; reading stops beyond.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/waker.h"

namespace ringtalk::tool {

class Console {
 public:
  // `waker` is woken when there is something to ask for.
  Console(base::Waker& waker, bool read_input);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  std::optional<std::string> next_line();
  // The end of standard input has been read and every line taken.
  bool input_ended();
  // How often Ctrl-C or a SIGTERM has come.
  int interrupts();

 private:
  static constexpr size_t kLinesMax = 256;
  void run();
  bool read_input();
  void take_lines();

  base::Waker& waker_;
  std::mutex mutex_;
  std::deque<std::string> lines_;
  std::string partial_;
  bool reading_;
  bool ended_ = false;
  int interrupts_ = 0;
  int signals_ = -1;  // signalfd
  int stop_ = -1;     // eventfd: end, or go on reading
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ringtalk::tool
