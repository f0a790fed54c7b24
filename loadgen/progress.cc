#include "loadgen/progress.h"

#include "loadgen/report.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kRedrawNs = 250'000'000;
constexpr uint64_t kPlainNs = 5'000'000'000;

}  // namespace

std::string Progress::line(uint64_t now_ns, const ProgressView& view) const {
  char head[96];
  if (view.phase_total_s > 0) {
    std::snprintf(head, sizeof head, "%-6s %4.0f/%.0f s", view.phase, view.phase_s,
                  view.phase_total_s);
  } else {
    std::snprintf(head, sizeof head, "%-6s %4.1f s", view.phase, view.phase_s);
  }
  std::string text = head;
  text += "  " + grouped(view.ready) + " of " + grouped(view.requested) + " clients";
  if (view.issued > 0) {
    const double passed_s = static_cast<double>(now_ns - last_ns_) / 1e9;
    const auto rate = [&](uint64_t now, uint64_t before) {
      const bool sensible = last_ns_ != 0 && passed_s > 0 && now >= before;
      return grouped(sensible ? static_cast<uint64_t>(static_cast<double>(now - before) / passed_s)
                              : 0);
    };
    text += "  sent " + grouped(view.issued) + " (" + rate(view.issued, last_.issued) + "/s)";
    text += "  delivered " + grouped(view.delivered) + " (" +
            rate(view.delivered, last_.delivered) + "/s)";
  }
  text += "  beats " + grouped(view.beats_answered);
  if (view.lost > 0) text += "  cut " + grouped(view.lost);
  return text;
}

void Progress::show(uint64_t now_ns, const ProgressView& view) {
  if (file_ == nullptr) return;
  const bool changed = phase_ != view.phase;
  const uint64_t gap = terminal_ ? kRedrawNs : kPlainNs;
  // Also a change of phase waits for its turn on a terminal: four redraws a second at most.
  if (last_ns_ != 0 && now_ns - last_ns_ < gap && (terminal_ || !changed)) return;
  const std::string text = line(now_ns, view);
  if (terminal_) {
    std::fprintf(file_, "\r%s\x1b[K", text.c_str());
    drawn_ = true;
  } else {
    std::fprintf(file_, "%s\n", text.c_str());
  }
  std::fflush(file_);
  phase_ = view.phase;
  last_ns_ = now_ns;
  last_ = view;
  draws_++;
}

void Progress::finish() {
  if (!drawn_) return;
  std::fprintf(file_, "\r\x1b[K");
  std::fflush(file_);
  drawn_ = false;
}

}  // namespace ringtalk::loadgen
