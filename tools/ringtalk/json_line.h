// tools/ringtalk/json_line.h: one line of the tool's output, a JSON object that names its event.
//
// Bytes of peers that are no UTF-8 are replaced. Thread rule: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/frame_writer.h"
#include "proto/ids.h"

namespace ringtalk::tool {

class JsonLine {
 public:
  explicit JsonLine(const char* event);
  ~JsonLine();
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;

  JsonLine& number(const char* key, uint64_t value);
  // With three decimals.
  JsonLine& real(const char* key, double value);
  JsonLine& text(const char* key, std::string_view value);
  JsonLine& flag(const char* key, bool value);
  JsonLine& conversation(const proto::ConversationId& conversation);
  // `json` is JSON already; where it is none, it becomes text.
  JsonLine& object(const char* key, std::string_view json);
  // Text as "text", anything else as "hex".
  JsonLine& body(wire::MessageKind kind, proto::Bytes body);
  std::string str() const;

 private:
  struct Object;
  std::unique_ptr<Object> object_;
};

std::string hex_of(std::span<const std::byte> bytes);
// False: not exactly these many bytes in hexadecimal digits.
bool from_hex(const std::string& text, std::span<std::byte> bytes);
std::string joined(const std::vector<std::string>& words);

}  // namespace ringtalk::tool
