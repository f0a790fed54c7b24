#include "base/log.h"

#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>

#include "base/clock.h"

namespace ringtalk::base {
namespace {

constexpr size_t kQueuedLinesMax = 8'192;

const char* name_of(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

spdlog::level::level_enum spd_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      result += escaped;
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string time_text(uint64_t wall_ms, const char* format) {
  const time_t seconds = static_cast<time_t>(wall_ms / 1'000);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const size_t length = ::strftime(text, sizeof text, format, &parts);
  char millis[8];
  std::snprintf(millis, sizeof millis, ".%03u", static_cast<unsigned>(wall_ms % 1'000));
  return std::string(text, length) + millis;
}

// Writes whole lines to a descriptor; an error leaves nobody to tell.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line(message.payload.data(), message.payload.size());
    line += '\n';
    const char* at = line.data();
    for (size_t left = line.size(); left > 0;) {
      const ssize_t written = ::write(descriptor_, at, left);
      if (written <= 0) return;
      at += written;
      left -= static_cast<size_t>(written);
    }
  }
  void flush_() override {}

  const int descriptor_;
};

}  // namespace

struct Log::Sink {
  bool json;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const LogOptions& options) : sink_(std::make_unique<Sink>()) {
  sink_->json = options.json;
  sink_->pool = std::make_shared<spdlog::details::thread_pool>(kQueuedLinesMax, 1);
  sink_->logger = std::make_shared<spdlog::async_logger>(
      "ringtalk", std::make_shared<DescriptorSink>(options.descriptor), sink_->pool,
      spdlog::async_overflow_policy::overrun_oldest);
  set_level(options.level);
}

// The pool's thread writes what is queued before it ends.
Log::~Log() = default;

void Log::set_level(LogLevel level) noexcept {
  sink_->logger->set_level(spd_level(level));
}

void Log::write(LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields) noexcept {
  if (!sink_->logger->should_log(spd_level(level))) return;
  const std::string line =
      format_log_line(sink_->json, SystemClock().wall_ms(), level, message, fields);
  sink_->logger->log(spd_level(level), spdlog::string_view_t(line.data(), line.size()));
}

LogLevel parse_log_level(std::string_view text) noexcept {
  for (const LogLevel level : {LogLevel::debug, LogLevel::warn, LogLevel::error}) {
    if (text == name_of(level)) return level;
  }
  return LogLevel::info;
}

std::string format_log_line(bool json, uint64_t wall_ms, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields) {
  std::string line;
  if (json) {
    line = "{\"time\":\"" + time_text(wall_ms, "%Y-%m-%dT%H:%M:%S") + "Z\",\"level\":\"" +
           name_of(level) + "\",\"message\":" + json_text(message);
  } else {
    char name[8];
    std::snprintf(name, sizeof name, "%-5s", name_of(level));
    line = time_text(wall_ms, "%H:%M:%S") + ' ' + name + ' ' + std::string(message);
  }
  for (const LogField& field : fields) {
    const auto* number = std::get_if<uint64_t>(&field.value);
    const std::string value = number != nullptr
                                  ? std::to_string(*number)
                                  : (json ? json_text(std::get<std::string_view>(field.value))
                                          : std::string(std::get<std::string_view>(field.value)));
    line += json ? "," + json_text(field.name) + ":" + value
                 : " " + std::string(field.name) + "=" + value;
  }
  if (json) line += '}';
  return line;
}

}  // namespace ringtalk::base
