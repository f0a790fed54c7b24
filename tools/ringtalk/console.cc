#include "tools/ringtalk/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace ringtalk::tool {

Console::Console(base::Waker& waker, bool read_input) : waker_(waker), reading_(read_input) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  ASSERT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  ASSERT(signals_ >= 0 && stop_ >= 0);
  ended_ = !read_input;
  thread_ = std::thread([this] { run(); });
}

Console::~Console() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  ASSERT(::write(stop_, &one, sizeof one) == sizeof one);
  thread_.join();
  ::close(signals_);
  ::close(stop_);
}

std::optional<std::string> Console::next_line() {
  std::lock_guard lock(mutex_);
  if (lines_.empty()) return std::nullopt;
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  if (lines_.size() == kLinesMax - 1) {
    const uint64_t one = 1;
    ASSERT(::write(stop_, &one, sizeof one) == sizeof one);
  }
  return line;
}

bool Console::input_ended() {
  std::lock_guard lock(mutex_);
  return ended_ && lines_.empty();
}

int Console::interrupts() {
  std::lock_guard lock(mutex_);
  return interrupts_;
}

void Console::run() {
  for (;;) {
    bool reads;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      reads = reading_ && !ended_ && lines_.size() < kLinesMax;
    }
    pollfd waits[] = {{signals_, POLLIN, 0}, {stop_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (::poll(waits, reads ? 3 : 2, -1) < 0) continue;
    if (waits[1].revents != 0) {
      uint64_t count;
      ASSERT(::read(stop_, &count, sizeof count) == sizeof count);
    }
    if (waits[0].revents != 0) {
      signalfd_siginfo info;
      ASSERT(::read(signals_, &info, sizeof info) == sizeof info);
      std::lock_guard lock(mutex_);
      // A second one does not wait for anybody.
      if (++interrupts_ > 1) ::_exit(130);
    }
    if (reads && waits[2].revents != 0) read_input();
    if (waits[0].revents != 0 || waits[2].revents != 0) waker_.wake();
  }
}

bool Console::read_input() {
  char bytes[4096];
  const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
  std::lock_guard lock(mutex_);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) {
    ended_ = true;
    if (!partial_.empty()) lines_.push_back(std::move(partial_));
    return false;
  }
  partial_.append(bytes, static_cast<size_t>(got));
  take_lines();
  return true;
}

void Console::take_lines() {
  size_t from = 0;
  for (size_t end; (end = partial_.find('\n', from)) != std::string::npos; from = end + 1) {
    lines_.push_back(partial_.substr(from, end - from));
  }
  partial_.erase(0, from);
}

}  // namespace ringtalk::tool
