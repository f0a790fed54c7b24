// src/base/log.h: public. What the operator reads: a line for each event of the process.
//
// Text for a terminal, JSON lines for a machine, written by a thread of the log's own, so that a
// write costs its caller a copy into a queue; when the queue is full the oldest line is dropped,
// nobody waits. Never on the path of a message, nothing for each connection at info.
// Ownership: made by main, passed where needed. Thread rule: any thread. Invariant: what was
// written before the destructor is out after it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace ringtalk::base {

enum class LogLevel : uint8_t { debug, info, warn, error };

struct LogField {
  std::string_view name;
  std::variant<uint64_t, std::string_view> value;
};

struct LogOptions {
  LogLevel level = LogLevel::info;
  bool json = true;
  int descriptor = 2;  // where lines go
};

class Log {
 public:
  explicit Log(const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields = {}) noexcept;
  void set_level(LogLevel level) noexcept;

 private:
  struct Sink;
  const std::unique_ptr<Sink> sink_;
};

// "debug", "info", "warn" or "error"; anything else is info.
LogLevel parse_log_level(std::string_view text) noexcept;

// One line without its end, as the log writes it; `wall_ms` is Unix time.
std::string format_log_line(bool json, uint64_t wall_ms, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields);

}  // namespace ringtalk::base
