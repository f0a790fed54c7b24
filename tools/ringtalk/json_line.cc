#include "tools/ringtalk/json_line.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace ringtalk::tool {

struct JsonLine::Object {
  nlohmann::ordered_json json;
};

JsonLine::JsonLine(const char* event) : object_(std::make_unique<Object>()) {
  object_->json["event"] = event;
}

JsonLine::~JsonLine() = default;

JsonLine& JsonLine::number(const char* key, uint64_t value) {
  object_->json[key] = value;
  return *this;
}

JsonLine& JsonLine::real(const char* key, double value) {
  object_->json[key] = std::round(value * 1'000) / 1'000;
  return *this;
}

JsonLine& JsonLine::text(const char* key, std::string_view value) {
  object_->json[key] = value;
  return *this;
}

JsonLine& JsonLine::flag(const char* key, bool value) {
  object_->json[key] = value;
  return *this;
}

JsonLine& JsonLine::conversation(const proto::ConversationId& conversation) {
  object_->json["conversation"] = {conversation.a, conversation.b};
  return *this;
}

JsonLine& JsonLine::object(const char* key, std::string_view json) {
  auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return text(key, json);
  object_->json[key] = std::move(parsed);
  return *this;
}

JsonLine& JsonLine::body(wire::MessageKind kind, proto::Bytes body) {
  if (kind != wire::MessageKind::Text) return text("hex", hex_of(body));
  return text("text", {reinterpret_cast<const char*>(body.data()), body.size()});
}

std::string JsonLine::str() const {
  return object_->json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string hex_of(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

bool from_hex(const std::string& text, std::span<std::byte> bytes) {
  if (text.size() != bytes.size() * 2) return false;
  for (size_t i = 0; i < bytes.size(); i++) {
    unsigned value = 0;
    const char* const digits = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
    if (error != std::errc() || end != digits + 2) return false;
    bytes[i] = static_cast<std::byte>(value);
  }
  return true;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace ringtalk::tool
