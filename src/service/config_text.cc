#include "service/config_text.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <vector>

namespace ringtalk::service {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Each from the largest unit down.
constexpr Unit kDurations[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizes[] = {
    {"GiB", uint64_t{1} << 30}, {"MiB", uint64_t{1} << 20}, {"KiB", uint64_t{1} << 10}, {"B", 1}};

std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  if (text == "0") return 0;
  const size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos) return {};
  const auto number = parse_number(text.substr(0, digits));
  if (!number) return {};
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    if (*number > UINT64_MAX / unit.factor) return {};
    return *number * unit.factor;
  }
  return {};
}

std::string format_with_unit(uint64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value);
}

}  // namespace

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) return {};
  return value;
}

std::optional<uint64_t> parse_duration_ms(std::string_view text) {
  return parse_with_unit(text, kDurations);
}
std::optional<uint64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, kSizes);
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return {};
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string format_duration_ms(uint64_t ms) {
  return format_with_unit(ms, kDurations);
}
std::string format_bytes(uint64_t bytes) {
  return format_with_unit(bytes, kSizes);
}

uint32_t edit_distance(std::string_view one, std::string_view other) {
  std::vector<uint32_t> row(other.size() + 1);
  for (uint32_t i = 0; i < row.size(); i++) row[i] = i;
  for (size_t i = 0; i < one.size(); i++) {
    uint32_t diagonal = row[0]++;
    for (size_t j = 0; j < other.size(); j++) {
      const uint32_t change = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace ringtalk::service
