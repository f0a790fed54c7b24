// loadgen/progress.h: internal to loadgen. What a person sees while a run goes on.
//
// On a terminal one line that is redrawn, at most four times a second; elsewhere a plain line every
// five seconds and one at each change of phase. It only reads what the rings have published, so a
// run with it and a run without it measure the same. Thread rule: one owner, the conductor.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace ringtalk::loadgen {

struct ProgressView {
  const char* phase = "";
  double phase_s = 0;        // since the phase began
  double phase_total_s = 0;  // 0: not known
  uint64_t ready = 0, requested = 0;
  uint64_t issued = 0, acknowledged = 0, delivered = 0;
  uint64_t beats_answered = 0, lost = 0;
};

class Progress {
 public:
  // `file` null: silent.
  Progress(std::FILE* file, bool terminal) : file_(file), terminal_(terminal) {}

  // Draws when it is time to.
  void show(uint64_t now_ns, const ProgressView& view);
  // Clears the redrawn line, so that what follows starts on an empty one.
  void finish();
  uint64_t draws() const noexcept { return draws_; }

 private:
  std::string line(uint64_t now_ns, const ProgressView& view) const;

  std::FILE* file_;
  bool terminal_;
  bool drawn_ = false;
  const char* phase_ = nullptr;
  uint64_t last_ns_ = 0;
  ProgressView last_;
  uint64_t draws_ = 0;
};

}  // namespace ringtalk::loadgen
