// tests/support/process.h: tests. Other programs, started and ended by a test or a benchmark.
//
// Ownership: a Process ends what it started (SIGTERM, then SIGKILL), a TemporaryFolder removes
// itself. Thread rule: one owner. Invariant: a child never outlives its parent (PR_SET_PDEATHSIG).
// Waiting polls for a condition and gives up after a generous time: no test depends on how long it
// takes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringtalk::tests {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct ProcessOptions {
  std::vector<std::string> argv;
  // Added to the environment, "NAME=value".
  std::vector<std::string> environment;
  std::string input;             // for standard input, which then ends
  int cpu = -1;                  // pinned to it
  uint64_t descriptors_max = 0;  // ulimit -n, soft and hard
};

class Process {
 public:
  // Standard output and error go to files, so that nobody blocks on a pipe.
  explicit Process(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  // Waits for its end. The exit status, or 128 + the signal that ended it; -1: still running after
  // `seconds`.
  int wait(unsigned seconds = 60);

  std::string output() const;  // standard output so far
  std::string errors() const;  // standard error so far

  // CPU time of all its threads, by the process clock; 0 when it has gone.
  uint64_t cpu_ns() const;
  uint64_t resident_bytes() const;

 private:
  TemporaryFolder folder_;
  pid_t pid_ = -1;
  int status_ = -1;
};

// Polls until `ready`; false after `seconds`, or when `process` (may be null) has ended before.
bool wait_until(const std::function<bool()>& ready, Process* process = nullptr,
                unsigned seconds = 30);

// Runs to the end.
struct Finished {
  int status;
  std::string output;
  std::string errors;
};
Finished run(const ProcessOptions& options, unsigned seconds = 60);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content, unsigned mode = 0600);
// True when a program of that name is in PATH or in /usr/sbin.
bool installed(const std::string& program);
// A port of 127.0.0.1 that was free a moment ago, for servers that cannot choose one themselves.
uint16_t free_port();

}  // namespace ringtalk::tests
