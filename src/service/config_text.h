// src/service/config_text.h: internal to the service. Values of the configuration as text.
//
// Durations are `250ms`, `15s`, `2m`, `1h`, `30d`; sizes `512B`, `64KiB`, `1MiB`, `2GiB`. What
// format_* writes, parse_* reads. Thread rule: none, pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringtalk::service {

std::optional<uint64_t> parse_number(std::string_view text);
// In milliseconds. Only 0 needs no unit.
std::optional<uint64_t> parse_duration_ms(std::string_view text);
std::optional<uint64_t> parse_bytes(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);
// "a,b" has two parts and "" none.
std::vector<std::string> split_list(std::string_view text);

std::string format_duration_ms(uint64_t ms);
std::string format_bytes(uint64_t bytes);

// How many single-character edits lie between them (Levenshtein).
uint32_t edit_distance(std::string_view one, std::string_view other);

}  // namespace ringtalk::service
